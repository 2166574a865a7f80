//! One HTTP exchange by blocking calls: a connection, a question, a reply.
//!
//! There is one deadline for all of it. A time-out for each call alone would let a replica that
//! accepts and says nothing, or says one octet at a time, hold whoever asks for as long as it
//! likes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use wire::Buffer;
use wire::http1::{Client, Limits, RequestMethod};

const INPUT_OCTETS: usize = 16 << 10;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// Any but HEAD, whose reply has no content.
    pub(crate) method: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// JSON, or nothing.
    pub(crate) body: &'a [u8],
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl<'a> Question<'a> {
    /// `GET path`
    pub(crate) const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, body: b"" }
    }

    /// Asks, and waits for the whole reply.
    ///
    /// # Errors
    /// When there is none within `patience`, or it breaks a rule.
    pub(crate) fn ask(&self, address: SocketAddr, patience: Duration) -> io::Result<Reply> {
        let deadline = Deadline(Instant::now() + patience);
        let mut stream = TcpStream::connect_timeout(&address, deadline.left()?)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(deadline.left()?))?;
        let answered =
            stream.write_all(&self.octets(address)).and_then(|()| read(&mut stream, deadline));
        answered.map_err(|error| match error.kind() {
            // What a call says whose time-out the kernel kept (SO_RCVTIMEO, socket(7)).
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })
    }

    fn octets(&self, address: SocketAddr) -> Vec<u8> {
        let Self { method, path, body } = self;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        let content = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        [head.as_bytes(), content.as_bytes(), b"\r\n", body].concat()
    }
}

#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

fn read(stream: &mut TcpStream, deadline: Deadline) -> io::Result<Reply> {
    let mut client = Client::new(Limits::default());
    client.sent(RequestMethod::Other);
    let (mut input, mut body) = (Buffer::new(INPUT_OCTETS), Vec::new());
    loop {
        let told = client.advance(&mut input, &mut |octets| body.extend_from_slice(octets));
        if let Some(reply) = told.map_err(broken)? {
            return Ok(Reply { status: reply.status, body });
        }
        stream.set_read_timeout(Some(deadline.left()?))?;
        match stream.read(input.spare()) {
            Ok(0) => {
                let last = client.end_of_input().map_err(broken)?;
                let last = last.ok_or(ErrorKind::UnexpectedEof)?;
                return Ok(Reply { status: last.status, body });
            }
            Ok(count) => input.commit(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn broken(rule: wire::http1::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, rule)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Asks somebody who says these pieces, with a pause after each.
    fn answered(pieces: &[&str], pause: Duration, patience: Duration) -> io::Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::scope(|scope| {
            scope.spawn(|| -> io::Result<()> {
                let (mut peer, _) = listener.accept()?;
                // What is not read turns the close at the end into a reset.
                let _ = peer.read(&mut [0; 1024])?;
                for piece in pieces {
                    peer.write_all(piece.as_bytes())?;
                    std::thread::sleep(pause);
                }
                Ok(())
            });
            Question::get("/").ask(address, patience)
        })
    }

    #[test]
    fn a_reply_is_a_status_and_a_body() {
        for pieces in [
            &["HTTP/1.1 201 x\r\nContent-Length: 2\r\n\r\nhi"][..],
            &["HTTP/1.1 201 x\r\nTransfer-Enc", "oding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
            &["HTTP/1.0 201 x\r\n\r\nhi"],
        ] {
            let reply = answered(pieces, Duration::ZERO, LONG).unwrap();
            assert_eq!((reply.status, &reply.body[..]), (201, &b"hi"[..]), "{pieces:?}");
        }
    }

    #[test]
    fn one_who_speaks_an_octet_at_a_time_is_given_up_at_the_deadline() {
        let octets = "HTTP/1.1 200 x\r\nContent-Length: 9999\r\n\r\n.........".split("");
        let pieces = octets.collect::<Vec<_>>();
        let error = answered(&pieces, Duration::from_millis(20), Duration::from_millis(100));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for pieces in [&["SSH-2.0-x\r\n"][..], &["HTTP/1.1 200 x\r\n"], &[]] {
            assert!(answered(pieces, Duration::ZERO, LONG).is_err(), "{pieces:?}");
        }
    }
}
