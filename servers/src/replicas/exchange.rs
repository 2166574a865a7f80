//! One HTTP exchange, from start to end: a connection, a question, a reply.
//!
//! There is one deadline for all of it. A time-out for each call alone would let a replica that
//! accepts and says nothing, or says one octet at a time, hold whoever asks for as long as it
//! likes. No call waits by itself: whoever asks says how to wait for the socket, so that one who
//! may be told to stop waits for that as well.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use socket2::{Domain, Protocol, Socket, Type};
use wire::Buffer;
use wire::http1::{Client, Limits, RequestMethod};

use super::leash::{Leash, Waited, ready_by};

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
        self.ask_on(None, address, patience)
    }

    /// The same, for one who gives up at once when the leash is pulled.
    ///
    /// # Errors
    /// As above, and when it is pulled.
    pub(crate) fn ask_on(
        &self,
        leash: Option<&Leash>,
        address: SocketAddr,
        patience: Duration,
    ) -> io::Result<Reply> {
        let mut line = Line::open(address, Patience { leash, until: Instant::now() + patience })?;
        line.say(&self.octets(address))?;
        line.hear()
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

/// How long to wait, and what may end that.
#[derive(Clone, Copy)]
struct Patience<'a> {
    leash: Option<&'a Leash>,
    until: Instant,
}

impl Patience<'_> {
    fn wait(self, socket: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
        let watched = PollFd::new(socket, flags);
        let waited = match self.leash {
            Some(leash) => leash.watch_for(&[watched], self.until),
            None if ready_by(watched, self.until) => Waited::Ready(0),
            None => Waited::Late,
        };
        match waited {
            // One who is always ready, an octet at a time, is late at some time.
            Waited::Ready(_) if Instant::now() < self.until => Ok(()),
            Waited::Ready(_) | Waited::Late => Err(ErrorKind::TimedOut.into()),
            Waited::Pulled => Err(io::Error::other("told to stop")),
        }
    }
}

/// A connection, whose calls do not wait, and the patience that there is for it.
struct Line<'a> {
    stream: TcpStream,
    patience: Patience<'a>,
}

impl<'a> Line<'a> {
    fn open(address: SocketAddr, patience: Patience<'a>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {
                patience.wait(socket.as_fd(), PollFlags::POLLOUT)?;
            }
            other => other?,
        }
        socket.take_error()?.map_or(Ok(()), Err)?;
        Ok(Self { stream: socket.into(), patience })
    }

    /// Makes a call whenever the socket is ready for it, until it has done something.
    fn when_ready(
        &mut self,
        flags: PollFlags,
        mut call: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            self.patience.wait(self.stream.as_fd(), flags)?;
            match call(&mut self.stream) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                done => return done,
            }
        }
    }

    fn say(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let count = self.when_ready(PollFlags::POLLOUT, |stream| stream.write(octets))?;
            octets = &octets[count..];
        }
        Ok(())
    }

    fn hear(&mut self) -> io::Result<Reply> {
        let mut client = Client::new(Limits::default());
        client.sent(RequestMethod::Other);
        let (mut input, mut body) = (Buffer::new(INPUT_OCTETS), Vec::new());
        loop {
            let told = client.advance(&mut input, &mut |octets| body.extend_from_slice(octets));
            if let Some(reply) = told.map_err(broken)? {
                return Ok(Reply { status: reply.status, body });
            }
            match self.when_ready(PollFlags::POLLIN, |stream| stream.read(input.spare()))? {
                0 => {
                    let last = client.end_of_input().map_err(broken)?;
                    let last = last.ok_or(ErrorKind::UnexpectedEof)?;
                    return Ok(Reply { status: last.status, body });
                }
                count => input.commit(count),
            }
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
    fn a_pull_at_the_leash_ends_the_wait_for_one_who_is_silent() {
        // The kernel accepts for it; nobody ever answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let (leash, address) = (Leash::new().unwrap(), silent.local_addr().unwrap());
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| Question::get("/").ask_on(Some(&leash), address, LONG));
            let (_peer, _) = silent.accept().unwrap();
            leash.pull();
            let error = asking.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        });
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for pieces in [&["SSH-2.0-x\r\n"][..], &["HTTP/1.1 200 x\r\n"], &[]] {
            assert!(answered(pieces, Duration::ZERO, LONG).is_err(), "{pieces:?}");
        }
    }
}
