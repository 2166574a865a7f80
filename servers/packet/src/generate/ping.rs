//! One datagram under way at a time: how long until it is back.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{Amount, Pace};
use crate::udp::socket_between;

/// How long an echo is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many lost in a row, and nobody answers at all.
const NOBODY: u32 = 5;
/// The longest time that a histogram takes, in nanoseconds: no echo comes after [`PATIENCE`].
const LONGEST: u64 = 10_000_000_000;

/// Round trips to be made.
#[derive(Clone, Debug, Args)]
pub struct Ping {
    /// Who sends datagrams back
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// Octets of a payload
    #[arg(long, value_name = "N", default_value_t = 18,
          value_parser = clap::value_parser!(u16).range(4..=1472))]
    pub size: u16,
    /// Round trips that are not counted, before the others
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub warm_up: u32,
    /// How many, and how fast
    #[command(flatten)]
    pub amount: Amount,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trips {
    /// Round trips.
    pub trips: u64,
    /// Datagrams that did not come back.
    pub lost: u64,
    /// How long all of it took.
    pub seconds: f64,
    /// The shortest, in nanoseconds.
    pub least_ns: u64,
    /// The mean.
    pub mean_ns: f64,
    /// The median.
    pub p50_ns: u64,
    /// 90 of 100 are not longer.
    pub p90_ns: u64,
    /// 99 of 100 are not longer.
    pub p99_ns: u64,
    /// 999 of 1000 are not longer.
    pub p999_ns: u64,
    /// The longest.
    pub most_ns: u64,
}

/// A socket with a counter.
struct Sender {
    socket: UdpSocket,
    payload: Vec<u8>,
    counter: u32,
}

impl Ping {
    /// Makes them.
    ///
    /// # Errors
    /// When nobody sends anything back, or what comes back was never sent.
    pub fn measure(&self) -> Result<Trips> {
        let mut sender = Sender::new(self)?;
        for _ in 0..self.warm_up.max(1) {
            sender.trip_or_nobody()?;
        }
        let mut times = Histogram::<u64>::new_with_max(LONGEST, 3).map_err(|e| anyhow!("{e}"))?;
        let mut lost = 0;
        let mut pace = Pace::of(&self.amount);
        while pace.next(1).is_some() {
            match sender.trip()? {
                Some(time) => times.saturating_record(u64::try_from(time.as_nanos())?),
                None => lost += 1,
            }
        }
        Ok(Trips::of(&times, lost, pace.elapsed()))
    }
}

impl Trips {
    fn of(times: &Histogram<u64>, lost: u64, took: Duration) -> Self {
        Self {
            trips: times.len(),
            lost,
            seconds: took.as_secs_f64(),
            least_ns: times.min(),
            mean_ns: times.mean(),
            p50_ns: times.value_at_quantile(0.5),
            p90_ns: times.value_at_quantile(0.9),
            p99_ns: times.value_at_quantile(0.99),
            p999_ns: times.value_at_quantile(0.999),
            most_ns: times.max(),
        }
    }
}

impl Sender {
    fn new(ping: &Ping) -> Result<Self> {
        let socket = socket_between(None, ping.to)?;
        socket.set_read_timeout(Some(PATIENCE)).context("setting a deadline")?;
        Ok(Self { socket, payload: vec![0; usize::from(ping.size)], counter: ping.amount.first })
    }

    /// A trip, however often it takes; an echo that starts while this runs is found.
    fn trip_or_nobody(&mut self) -> Result<()> {
        for _ in 0..NOBODY {
            if self.trip()?.is_some() {
                return Ok(());
            }
        }
        bail!("nobody sends datagrams back from {}", self.socket.peer_addr()?)
    }

    /// One round trip; none when it was lost.
    fn trip(&mut self) -> Result<Option<Duration>> {
        self.counter = self.counter.wrapping_add(1);
        self.payload[..4].copy_from_slice(&self.counter.to_le_bytes());
        let mut answer = [0; 2048];
        let start = Instant::now();
        self.socket.send(&self.payload).context("sending")?;
        loop {
            let octets = match self.socket.recv(&mut answer) {
                Ok(octets) => octets,
                Err(error) if missing(error.kind()) => return Ok(None),
                Err(error) => return Err(error).context("receiving"),
            };
            let time = start.elapsed();
            if answer[..octets] == self.payload[..] {
                return Ok(Some(time));
            }
            self.is_late(&answer[..octets])?;
        }
    }

    /// An echo of a datagram that was given up; anything else is an error.
    fn is_late(&self, answer: &[u8]) -> Result<()> {
        let counter = answer.first_chunk().map(|counter| u32::from_le_bytes(*counter));
        let behind = counter.map(|counter| self.counter.wrapping_sub(counter));
        match behind.is_some_and(|n| n > 0 && n < 1 << 31) && answer.len() == self.payload.len() {
            true => Ok(()),
            false => bail!("{} octets came back that had never been sent", answer.len()),
        }
    }
}

fn missing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn ping(to: SocketAddr, count: u64) -> Ping {
        let amount =
            Amount { count: Some(count), duration: Duration::ZERO, rate: None, first: 0, step: 1 };
        Ping { to, size: 8, warm_up: 2, amount }
    }

    /// Answers so many datagrams with what `answer` makes of each.
    fn server(count: usize, answer: fn(usize, &mut [u8]) -> bool) -> SocketAddr {
        server_at("127.0.0.1:0", count, answer)
    }

    fn server_at(listen: &str, count: usize, answer: fn(usize, &mut [u8]) -> bool) -> SocketAddr {
        let socket = UdpSocket::bind(listen).unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            for n in 0..count {
                let mut octets = [0; 64];
                let (size, from) = socket.recv_from(&mut octets).unwrap();
                if answer(n, &mut octets[..size]) {
                    socket.send_to(&octets[..size], from).unwrap();
                }
            }
        });
        address
    }

    #[test]
    fn every_trip_is_in_the_histogram_but_those_of_the_warm_up() {
        let trips = ping(server(52, |_, _| true), 50).measure().unwrap();
        assert_eq!((trips.trips, trips.lost), (50, 0));
        assert!(trips.least_ns > 0 && trips.least_ns <= trips.p50_ns);
        assert!(trips.p50_ns <= trips.p99_ns && trips.p999_ns <= trips.most_ns);
    }

    #[test]
    fn the_way_may_be_ipv6() {
        let trips = ping(server_at("[::1]:0", 7, |_, _| true), 5).measure().unwrap();
        assert_eq!((trips.trips, trips.lost), (5, 0));
    }

    #[test]
    fn what_does_not_come_back_is_counted_as_lost() {
        let trips = ping(server(12, |n, _| n != 7), 10).measure().unwrap();
        assert_eq!((trips.trips, trips.lost), (9, 1));
    }

    #[test]
    fn another_payload_is_an_error() {
        let spoil = |n, octets: &mut [u8]| {
            octets[7] ^= u8::from(n == 3);
            octets[0] ^= 0x80 * u8::from(n == 3);
            true
        };
        let error = ping(server(12, spoil), 10).measure().unwrap_err();
        assert!(error.to_string().contains("never been sent"), "{error}");
    }
}
