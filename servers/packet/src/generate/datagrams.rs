//! Datagrams through the whole stack, many to a system call: sendmmsg(2).

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use clap::Args;
use nix::errno::Errno;
use nix::sys::socket::SockaddrStorage;

use super::{Amount, Outcome, Pace};
use crate::udp::{Then, Volley, socket_between};

/// The shortest payload: the counter.
const COUNTER: usize = 4;

/// Datagrams to send.
#[derive(Clone, Debug, Args)]
pub struct Datagrams {
    /// Where to
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// Octets of a payload
    #[arg(long, value_name = "N", default_value_t = 18,
          value_parser = clap::value_parser!(u16).range(COUNTER as i64..=1472))]
    pub size: u16,
    /// Datagrams to a system call
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub batch: u16,
    /// How many, and how fast
    #[command(flatten)]
    pub amount: Amount,
}

/// Payloads of one size, for where the socket is connected to.
struct Batch {
    payloads: Vec<Vec<u8>>,
    nowhere_else: Vec<Option<SockaddrStorage>>,
    volley: Volley,
}

impl Datagrams {
    /// Sends them.
    ///
    /// # Errors
    /// When there is no way to the address, or the kernel can't send. That nobody listens there is
    /// no error.
    pub fn generate(&self) -> Result<Outcome> {
        let socket = socket_between(None, self.to)?;
        let mut batch = Batch::new(self.batch, self.size);
        let (mut counter, step, mut sent) = (self.amount.first, self.amount.step, 0);
        let mut pace = Pace::of(&self.amount);
        while let Some(count) = pace.next(u32::from(self.batch)) {
            batch.number(counter, step, count as usize);
            counter = counter.wrapping_add(count.wrapping_mul(step));
            sent += batch
                .send(&socket, count as usize)
                .with_context(|| format!("sending to {}", self.to))?;
        }
        Outcome::of("datagrams", &pace, sent)
    }
}

impl Batch {
    fn new(datagrams: u16, size: u16) -> Self {
        let count = usize::from(datagrams);
        Self {
            payloads: vec![vec![0; COUNTER.max(size.into())]; count],
            nowhere_else: vec![None; count],
            volley: Volley::new(datagrams),
        }
    }

    fn number(&mut self, first: u32, step: u32, count: usize) {
        for (payload, place) in self.payloads.iter_mut().take(count).zip(0..) {
            let counter = first.wrapping_add(step.wrapping_mul(place)).to_le_bytes();
            payload[..COUNTER].copy_from_slice(&counter);
        }
    }

    /// Sends the first of them, until all have gone out.
    fn send(&mut self, socket: &UdpSocket, count: usize) -> Result<u64, Errno> {
        let (payloads, to) = (&self.payloads[..count], &self.nowhere_else[..count]);
        Ok(self.volley.send(socket, payloads, to, refused)?.datagrams)
    }
}

/// That nobody listens is said of an earlier datagram, by ICMP: the next call sends this one.
fn refused(error: Errno) -> Result<Then, Errno> {
    match error {
        Errno::ECONNREFUSED | Errno::EINTR => Ok(Then::Again),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_counter_arrives_once_and_in_order() {
        for receiver in ["127.0.0.1:0", "[::1]:0"] {
            let receiver = UdpSocket::bind(receiver).unwrap();
            receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let amount = Amount {
                count: Some(100),
                duration: Duration::ZERO,
                rate: None,
                first: u32::MAX - 9,
                step: 1,
            };
            let to = receiver.local_addr().unwrap();
            let outcome = Datagrams { to, size: 6, batch: 32, amount }.generate().unwrap();
            assert_eq!((outcome.offered, outcome.sent), (100, 100));
            for expected in (u32::MAX - 9..=u32::MAX).chain(0..90) {
                let mut payload = [0; 16];
                assert_eq!(receiver.recv(&mut payload).unwrap(), 6);
                assert_eq!(payload[..4], expected.to_le_bytes());
            }
        }
    }

    #[test]
    fn nobody_listening_is_no_error() {
        let to = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let amount =
            Amount { count: Some(10), duration: Duration::ZERO, rate: None, first: 0, step: 1 };
        let outcome = Datagrams { to, size: 4, batch: 1, amount }.generate().unwrap();
        assert_eq!(outcome.sent, 10);
    }
}
