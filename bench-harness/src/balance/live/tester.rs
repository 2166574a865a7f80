//! Many requests over a few connections that stay open, counted by the number of who answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;

use anyhow::{Result, anyhow, bail};

use super::asker::Asker;
use crate::interrupt;

/// Connections, each with a request under way: enough to keep a balancer busy.
const CONNECTIONS: u32 = 16;
/// After so many failures a connection is not made again: a balancer that hangs costs their
/// time-outs, and no more.
const FAILURES_MAX: u32 = 5;

/// How many requests were answered by the replica of each number; those that are missing have
/// failed.
///
/// # Errors
/// When the user interrupts.
pub(super) fn ask_all(
    address: SocketAddr,
    path: &str,
    requests: u32,
) -> Result<BTreeMap<u32, u64>> {
    let share = |n: u32| requests / CONNECTIONS + u32::from(n < requests % CONNECTIONS);
    let counted = thread::scope(|scope| {
        let ask = |n| scope.spawn(move || ask_some(address, path, share(n)));
        let threads: Vec<_> = (0..CONNECTIONS).map(ask).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut sum = BTreeMap::new();
    for counts in counted {
        let counts = counts.map_err(|_| anyhow!("a thread that asks has panicked"))?;
        counts.into_iter().for_each(|(number, count)| *sum.entry(number).or_default() += count);
    }
    if interrupt::requested() {
        bail!("interrupted");
    }
    Ok(sum)
}

fn ask_some(address: SocketAddr, path: &str, requests: u32) -> BTreeMap<u32, u64> {
    let (mut counts, mut failures) = (BTreeMap::new(), 0);
    let mut connection = None;
    for _ in 0..requests {
        if failures == FAILURES_MAX || interrupt::requested() {
            break;
        }
        match ask(&mut connection, address, path) {
            Ok(number) => *counts.entry(number).or_default() += 1,
            Err(_) => failures += 1,
        }
    }
    counts
}

/// Asks on the connection, if there is one, or else on a new one. It is kept if all went well.
fn ask(connection: &mut Option<Asker>, address: SocketAddr, path: &str) -> Result<u32> {
    let mut asker = connection.take().map_or_else(|| Asker::connect(address, path), Ok)?;
    let number = asker.ask()?;
    *connection = Some(asker);
    Ok(number)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    const HELLO: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"message\":\"Hello from Server: 3\"}";

    /// Answers so many requests on each connection, and then closes it.
    fn server(each: u32) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream, each));
            }
        });
        address
    }

    fn answer(mut stream: impl Read + Write, each: u32) {
        for _ in 0..each {
            if !matches!(stream.read(&mut [0; 512]), Ok(1..)) {
                return;
            }
            stream.write_all(HELLO).unwrap();
        }
    }

    #[test]
    fn every_request_is_asked_once_and_counted() {
        let counts = ask_all(server(u32::MAX), "/home", 1_003).unwrap();
        assert_eq!(counts, BTreeMap::from([(3, 1_003)]));
    }

    #[test]
    fn a_connection_that_breaks_costs_a_request_and_is_made_again() {
        // Of 10 requests on each connection, the fourth and the eighth meet its end.
        let counts = ask_all(server(3), "/home", 10 * CONNECTIONS).unwrap();
        assert_eq!(counts, BTreeMap::from([(3, u64::from(8 * CONNECTIONS))]));
    }

    #[test]
    fn nobody_there_is_nothing_counted() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(ask_all(gone, "/home", 1_000).unwrap().is_empty());
    }
}
