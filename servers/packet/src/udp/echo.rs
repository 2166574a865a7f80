//! `servers packet echo`: datagrams sent back by user space, behind a UDP socket or an AF_XDP
//! socket.

use std::io::Write;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Wait;
use super::batch::Whole;
use super::inlet::{Inlet, Source};
use super::receiver::{Receiver, overflowed};
use super::report::{Meter, Spent, publish};
use crate::stop::Stop;
use crate::xsk::serve;

/// What has been sent back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What received them: `udp`, or `af_xdp` with the mode that the kernel really uses.
    pub socket: String,
    /// How it waited.
    pub wait: Wait,
    /// Packets that came.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Packets sent back.
    pub echoed: u64,
    /// Packets that were too long to be sent back.
    pub cut_off: u64,
    /// Packets that the socket could not send: no room, or no way back.
    pub unsent: u64,
    /// Packets that the kernel dropped because nobody took them; `None` where it does not tell.
    pub overflowed: Option<u64>,
    /// System calls to receive and to send them.
    pub system_calls: u64,
    /// Time, and CPU time of the thread that echoes.
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
        Source::Socket(receiver) => echo(receiver, ending.count, &stop)?,
        Source::Tap(tap, how) => serve::echo(*tap, how, ending.count, &stop)?,
    };
    publish(&report, out, ending.counters.as_deref())
}

/// Echoes until `count` packets have come, or it is time to stop.
///
/// # Errors
/// What the socket says.
pub fn echo(mut receiver: Receiver, count: Option<u64>, stop: &Stop) -> anyhow::Result<Report> {
    let mut report = Report { socket: "udp".into(), wait: receiver.wait(), ..Report::default() };
    let mut meter = Meter::start()?;
    while report.packets < count.unwrap_or(u64::MAX) && !stop.is_asked() {
        let came = receiver.receive().context("receiving")?;
        if came == 0 {
            continue;
        }
        if report.packets == 0 {
            meter = Meter::start()?;
        }
        note(&mut report, &receiver);
        report.echoed += receiver.send_back().datagrams;
    }
    report.unsent = report.packets - report.cut_off - report.echoed;
    report.overflowed = overflowed(receiver.socket());
    report.system_calls = receiver.calls();
    report.spent = meter.read()?;
    Ok(report)
}

fn note(report: &mut Report, receiver: &Receiver) {
    for datagram in receiver.batch().datagrams() {
        report.packets += 1;
        report.octets += datagram.payload.len() as u64;
        report.cut_off += u64::from(datagram.whole == Whole::CutOff);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;
    use std::time::Duration;

    use super::super::batch::ROOM;
    use super::super::receiver::Reception;
    use super::*;

    #[test]
    fn every_way_to_wait_sends_back_what_came() {
        for wait in [Wait::Recv, Wait::Recvmmsg, Wait::Epoll, Wait::Busy] {
            for listen in ["127.0.0.1:0", "[::1]:0"] {
                let how = Reception { wait: Some(wait), batch: 8, room: None };
                let receiver = Receiver::open(listen.parse().unwrap(), how).unwrap();
                let to = receiver.address().unwrap();
                let echo = thread::spawn(move || echo(receiver, Some(50), &Stop::default()));
                let client = UdpSocket::bind((to.ip(), 0)).unwrap();
                client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                for turn in 0..50_u8 {
                    client.send_to(&vec![turn; turn.into()], to).unwrap();
                    let mut answer = [0; 64];
                    assert_eq!(client.recv_from(&mut answer).unwrap(), (turn.into(), to));
                    assert!(answer[..turn.into()].iter().all(|octet| *octet == turn));
                }
                let report = echo.join().unwrap().unwrap();
                assert_eq!((report.packets, report.echoed, report.octets), (50, 50, 1_225));
            }
        }
    }

    #[test]
    fn what_is_too_long_is_counted_and_not_answered() {
        let how = Reception { wait: Some(Wait::Recvmmsg), batch: 8, room: None };
        let receiver = Receiver::open("127.0.0.1:0".parse().unwrap(), how).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for octets in [ROOM + 1, 1] {
            client.send_to(&vec![1; octets], receiver.address().unwrap()).unwrap();
        }
        let report = echo(receiver, Some(2), &Stop::default()).unwrap();
        assert_eq!((report.cut_off, report.echoed, report.unsent), (1, 1, 0));
    }
}
