//! One question to one backend, over a connection of its own, without waiting.
//!
//! The least that can be asked is the connection itself. Then nothing is sent, and it is closed at
//! once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use socket2::{Domain, Protocol, Socket, Type};
use wire::Buffer;
use wire::http1::{Client, Error, Limits, Reply, RequestMethod};

use super::Question;
use super::pulse::Sign;
use crate::proxy::backend::host_of;
use crate::proxy::link::{Progress, progress_of};

/// Octets that are read at once, and the longest head of an answer.
const INPUT_OCTETS: usize = 8 << 10;

/// A question under way.
#[derive(Debug)]
pub(super) struct Probe {
    stream: TcpStream,
    asking: Asking,
}

/// What has been done of it.
#[derive(Debug)]
enum Asking {
    /// A connection is being made, and that is all.
    Connect,
    Get(Box<Get>),
}

/// A request, and the answer to it.
#[derive(Debug)]
struct Get {
    /// What has not been sent of the request.
    unsent: Buffer,
    input: Buffer,
    reading: Client,
}

impl Probe {
    /// Begins to ask the backend at `address`.
    ///
    /// # Errors
    /// When there is no connection to be had: [`shortage`](crate::shortage) tells whose fault that
    /// is.
    pub(super) fn begin(address: SocketAddr, question: &Question) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
                return Err(error);
            }
            _ => {}
        }
        let asking = match question {
            Question::Connect => Asking::Connect,
            Question::Get(path) => Asking::Get(Box::new(Get::new(address, path))),
        };
        Ok(Self { stream: socket.into(), asking })
    }

    /// What it waits for.
    pub(super) fn waits_for(&self) -> PollFlags {
        match &self.asking {
            Asking::Get(get) if get.unsent.is_empty() => PollFlags::POLLIN,
            _ => PollFlags::POLLOUT,
        }
    }

    /// Goes on as far as that is possible now with one call; says what has come of it.
    pub(super) fn go_on(&mut self) -> Option<Sign> {
        let gone_on = match &mut self.asking {
            Asking::Connect => progress_of(&self.stream).map(|progress| match progress {
                Progress::Connecting => None,
                Progress::Connected => Some(Sign::Well),
            }),
            Asking::Get(get) => get.go_on(&mut self.stream),
        };
        match gone_on {
            Ok(sign) => sign,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(_) => Some(Sign::Ill),
        }
    }
}

impl Get {
    fn new(address: SocketAddr, path: &str) -> Self {
        let request = request(address, path);
        let mut unsent = Buffer::new(request.len());
        unsent.push(request.as_bytes());
        let mut reading = Client::new(Limits { body: u64::MAX, ..Limits::default() });
        reading.sent(RequestMethod::Other);
        Self { unsent, input: Buffer::new(INPUT_OCTETS), reading }
    }

    fn go_on(&mut self, stream: &mut TcpStream) -> io::Result<Option<Sign>> {
        if self.unsent.is_empty() { self.read(stream) } else { self.write(stream) }
    }

    /// As long as the connection is not there, this says that it would block; if there will be
    /// none, it says why.
    fn write(&mut self, stream: &mut TcpStream) -> io::Result<Option<Sign>> {
        let sent = stream.write(self.unsent.filled())?;
        self.unsent.consume(sent);
        Ok(None)
    }

    fn read(&mut self, stream: &mut TcpStream) -> io::Result<Option<Sign>> {
        let count = stream.read(self.input.spare())?;
        self.input.commit(count);
        let reply = match self.reading.advance(&mut self.input, &mut |_| {}) {
            Ok(None) if count == 0 => self.reading.end_of_input(),
            other => other,
        };
        Ok(sign(reply))
    }
}

impl AsFd for Probe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What a reply says about its backend.
fn sign(reply: Result<Option<Reply>, Error>) -> Option<Sign> {
    match reply {
        Ok(None) => None,
        Ok(Some(reply)) if (200..300).contains(&reply.status) => Some(Sign::Well),
        Ok(Some(_)) | Err(_) => Some(Sign::Ill),
    }
}

fn request(address: SocketAddr, path: &str) -> String {
    let host = host_of(address);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: servers-health\r\n\
         Connection: close\r\n\r\n"
    )
}
