//! Clients that are answered once and then held.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::interrupt;

/// How long a client waits for its answer: longer than a server takes that serves it at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client says.
const WORDS: &[u8] = b"Hello, server!\n";

/// Clients of one server.
#[derive(Debug)]
pub(super) struct Crowd {
    server: SocketAddr,
    clients: Vec<TcpStream>,
}

impl Crowd {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self { server, clients: Vec::new() }
    }

    /// Adds clients until there are so many, each of them answered.
    pub(super) fn grow_to(&mut self, count: u64) -> Result<()> {
        for number in self.clients.len() as u64 + 1..=count {
            if interrupt::requested() {
                bail!("interrupted");
            }
            let client = answered(self.server);
            self.clients.push(client.with_context(|| format!("client {number} of {count}"))?);
        }
        Ok(())
    }
}

fn answered(server: SocketAddr) -> Result<TcpStream> {
    let mut client = TcpStream::connect_timeout(&server, PATIENCE).context("connecting")?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(WORDS).context("sending")?;
    let mut answer = [0; WORDS.len()];
    client.read_exact(&mut answer).context("waiting for the echo")?;
    ensure!(answer == WORDS, "the echo is `{}`", String::from_utf8_lossy(&answer));
    Ok(client)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_client_that_is_answered_wrongly_is_no_client() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut crowd = Crowd::new(listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut words = [0; WORDS.len()];
            client.read_exact(&mut words).unwrap();
            client.write_all(&words.map(|octet| octet.to_ascii_uppercase())).unwrap();
        });
        let error = format!("{:#}", crowd.grow_to(2).unwrap_err());
        server.join().unwrap();
        assert!(error.starts_with("client 1 of 2: the echo is `HELLO"), "{error}");
    }
}
