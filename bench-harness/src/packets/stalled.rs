//! A row of `stalls.csv`: how much a relay takes from a sender while the receiver reads nothing.
//!
//! TCP's flow control holds between two sockets. A relay has two pairs of them, and passes it on
//! only by not reading: then the window closes, and the sender's writes stop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::rate::Outcome;
use super::relay::{on_offer, serve};
use super::site::Site;
use crate::report::number::octets;

/// A sender that got rid of so much is not stopped at all.
const MOST: usize = 256 << 20;
/// A sender that could not write anything for so long has been stopped.
const STILL: Duration = Duration::from_millis(400);
/// How long the relay may take to connect the two.
const PATIENCE: Duration = Duration::from_secs(10);

/// One way of relaying towards a receiver that does not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stalled {
    /// The way.
    pub way: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// Octets that the sender got rid of.
    pub taken: u64,
    /// Whether it was stopped before it had sent as much as it was to.
    pub stopped: bool,
}

/// Makes a trial; what goes wrong is a row, too.
#[must_use]
pub fn stalled(site: &Site, way: &str) -> Stalled {
    let blank = Stalled { way: way.to_owned(), ..Stalled::default() };
    let failed =
        |error| Stalled { outcome: Outcome::Failed, reason: format!("{error:#}"), ..blank.clone() };
    match on_offer(site) {
        Ok(ways) if !ways.contains(&way) => {
            Stalled { reason: format!("`servers run --help` shows no --relay-by {way}"), ..blank }
        }
        Ok(_) => measure(site, way).map_or_else(failed, |taken| Stalled {
            outcome: Outcome::Ok,
            taken: taken as u64,
            stopped: taken < MOST,
            ..blank.clone()
        }),
        Err(error) => failed(error),
    }
}

fn measure(site: &Site, way: &str) -> Result<usize> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let behind = listener.local_addr()?;
    let line = format!("--app relay --relay-by {way} --backend {behind}");
    let (_relay, address) = serve(site, &site.pinning.server, &line)?;
    let (sender, _receiver) = connected(address, &listener)?;
    sender.set_write_timeout(Some(STILL))?;
    Ok(taken(sender, MOST)?)
}

/// Both ends of a connection through a relay that carries already.
fn connected(relay: SocketAddr, behind: &TcpListener) -> Result<(TcpStream, TcpStream)> {
    let mut sender = TcpStream::connect_timeout(&relay, PATIENCE)?;
    sender.write_all(b"x")?;
    let mut ready = [PollFd::new(behind.as_fd(), PollFlags::POLLIN)];
    if poll(&mut ready, PollTimeout::try_from(PATIENCE)?)? == 0 {
        bail!("the relay did not connect to its backend within {} s", PATIENCE.as_secs());
    }
    let (mut receiver, _) = behind.accept()?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    receiver.read_exact(&mut [0]).context("the first octet did not come through")?;
    Ok((sender, receiver))
}

/// How much of `most` octets can be written before a write times out.
fn taken(mut sender: impl Write, most: usize) -> io::Result<usize> {
    let block = vec![0; 1 << 20];
    let mut sum = 0;
    while sum < most {
        match sender.write(&block[..block.len().min(most - sum)]) {
            Ok(count) => sum += count,
            // What a call says whose time-out the kernel kept (SO_SNDTIMEO, socket(7)).
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// One sentence about all ways: who stops the sender, and who does not.
#[must_use]
pub fn of_stalls(rows: &[Stalled]) -> Option<String> {
    let made = || rows.iter().filter(|row| row.outcome == Outcome::Ok);
    let list = |stopped: bool| {
        let some = made().filter(|row| row.stopped == stopped);
        some.map(|row| format!("by {} {}", row.way, octets(row.taken as f64))).collect::<Vec<_>>()
    };
    let (stopped, endless) = (list(true).join(", "), list(false).join(", "));
    let words = match (stopped.is_empty(), endless.is_empty()) {
        (true, true) => return None,
        (false, true) => format!("{stopped}; then its writes stop"),
        (true, false) => format!("{endless} and more: nothing stops it"),
        (false, false) => format!("{stopped}, and {endless} and more: nothing stops it there"),
    };
    Some(format!("From a sender whose receiver does not read, a relay takes {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many octets, by pieces, and then none.
    struct Bucket(usize);

    impl Write for Bucket {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = octets.len().min(self.0).min(1_000);
            self.0 -= count;
            if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_fits_is_taken_and_no_more_than_there_is() {
        assert_eq!(taken(Bucket(123_456), 1 << 20).unwrap(), 123_456);
        assert_eq!(taken(Bucket(usize::MAX), 1 << 20).unwrap(), 1 << 20);
    }

    #[test]
    fn the_sentence_tells_who_stops_the_sender() {
        let row = |way: &str, taken, stopped| Stalled {
            way: way.into(),
            outcome: Outcome::Ok,
            taken,
            stopped,
            ..Stalled::default()
        };
        let (copy, sockmap) = (row("copy", 4 << 20, true), row("sockmap", MOST as u64, false));
        let words = of_stalls(&[copy.clone(), sockmap]).unwrap();
        assert!(
            words.ends_with(
                "by copy 4 MiB, and by sockmap 256 MiB and more: nothing stops it there"
            )
        );
        assert!(of_stalls(&[copy]).unwrap().ends_with("by copy 4 MiB; then its writes stop"));
        assert_eq!(of_stalls(&[Stalled::default()]), None);
    }
}
