//! `servers packet sink`: the filter of even counters in user space, behind a UDP socket or an
//! AF_XDP socket.

use std::io::Write;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Wait;
use super::inlet::{Inlet, Source};
use super::receiver::{Receiver, overflowed};
use super::report::{Meter, Spent, publish};
use super::tally::{Filter, Tally};
use crate::stop::Stop;
use crate::xsk::serve;

/// What a sink has received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What received them: `udp`, or `af_xdp` with the mode that the kernel really uses.
    pub socket: String,
    /// How it waited.
    pub wait: Wait,
    /// What is counted of the packets.
    #[serde(flatten)]
    pub tally: Tally,
    /// Packets that the kernel dropped because nobody took them; `None` where it does not tell.
    pub overflowed: Option<u64>,
    /// System calls to receive them.
    pub system_calls: u64,
    /// Time, and CPU time of the thread that receives.
    #[serde(flatten)]
    pub spent: Spent,
}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Inlet, out: &mut impl Write) -> anyhow::Result<()> {
    let ending = &options.ending;
    let stop = Stop::at_signals(ending.duration).context("cannot watch for signals")?;
    let report = match options.open(out)? {
        Source::Socket(receiver) => receive(receiver, ending.count, &stop)?,
        Source::Tap(tap, how) => serve::filter(*tap, how, ending.count, &stop)?,
    };
    publish(&report, out, ending.counters.as_deref())
}

/// Receives until `count` packets have come, or it is time to stop.
///
/// # Errors
/// What the socket says.
pub fn receive(mut receiver: Receiver, count: Option<u64>, stop: &Stop) -> anyhow::Result<Report> {
    let mut filter = Filter::default();
    let mut meter = Meter::start()?;
    while filter.tally().packets < count.unwrap_or(u64::MAX) && !stop.is_asked() {
        let before = filter.tally().packets;
        if receiver.receive().context("receiving")? > 0 && before == 0 {
            meter = Meter::start()?;
        }
        for datagram in receiver.batch().datagrams() {
            filter.judge(datagram.payload);
        }
    }
    Ok(Report {
        socket: "udp".into(),
        wait: receiver.wait(),
        tally: filter.tally(),
        overflowed: overflowed(receiver.socket()),
        system_calls: receiver.calls(),
        spent: meter.read()?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::thread;

    use super::super::receiver::Reception;
    use super::*;

    const WAYS: [Wait; 4] = [Wait::Recv, Wait::Recvmmsg, Wait::Epoll, Wait::Busy];

    fn open(wait: Wait, listen: &str) -> Receiver {
        let how = Reception { wait: Some(wait), batch: 16, room: Some(1 << 20) };
        Receiver::open(listen.parse().unwrap(), how).unwrap()
    }

    /// Sends counters up to `end`, with octets that are none at the end of each payload.
    fn send(to: SocketAddr, end: u32) {
        let socket = UdpSocket::bind((to.ip(), 0)).unwrap();
        for counter in 0..end {
            let payload = [&counter.to_le_bytes()[..], b"rest"].concat();
            socket.send_to(&payload, to).unwrap();
        }
    }

    #[test]
    fn every_way_to_wait_counts_the_same() {
        for wait in WAYS {
            for listen in ["127.0.0.1:0", "[::1]:0"] {
                let receiver = open(wait, listen);
                send(receiver.address().unwrap(), 200);
                let report = receive(receiver, Some(200), &Stop::default()).unwrap();
                let expected =
                    Tally { packets: 200, octets: 1_600, odd: 100, even: 100, ..Tally::default() };
                assert_eq!((report.tally, report.overflowed), (expected, Some(0)), "{wait:?}");
                let least = if wait == Wait::Recv { 200 } else { 200_u64.div_ceil(16) };
                assert!(report.system_calls >= least, "{wait:?}: {report:?}");
            }
        }
    }

    #[test]
    fn every_way_to_wait_stops_when_nothing_comes() {
        for wait in WAYS {
            let (receiver, stop) = (open(wait, "127.0.0.1:0"), Stop::default());
            let asked = stop.clone();
            let waits = thread::spawn(move || receive(receiver, None, &asked).unwrap());
            thread::sleep(std::time::Duration::from_millis(20));
            stop.ask();
            assert_eq!(waits.join().unwrap().tally, Tally::default());
        }
    }

    #[test]
    fn what_the_socket_has_no_room_for_is_counted() {
        let how = Reception { wait: Some(Wait::Recv), batch: 1, room: Some(2_304) };
        let receiver = Receiver::open("127.0.0.1:0".parse().unwrap(), how).unwrap();
        send(receiver.address().unwrap(), 100);
        let report = receive(receiver, Some(1), &Stop::default()).unwrap();
        assert!(report.overflowed.is_some_and(|dropped| dropped > 50), "{report:?}");
    }

    #[test]
    fn a_report_is_one_line_that_comes_back_as_it_was() {
        let receiver = open(Wait::Recvmmsg, "127.0.0.1:0");
        send(receiver.address().unwrap(), 3);
        let report = receive(receiver, Some(3), &Stop::default()).unwrap();
        let mut out = Vec::new();
        publish(&report, &mut out, None).unwrap();
        assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), 1);
        assert_eq!(serde_json::from_slice::<Report>(&out).unwrap(), report);
    }

    #[test]
    fn a_way_of_another_kind_of_socket_is_refused() {
        let how = Reception { wait: Some(Wait::Poll), batch: 1, room: None };
        let error = Receiver::open("127.0.0.1:0".parse().unwrap(), how).unwrap_err();
        assert!(error.to_string().contains("--interface"), "{error}");
    }
}
