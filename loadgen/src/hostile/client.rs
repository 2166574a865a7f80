//! One hostile connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::manner::{Manner, Pace, Then};
use super::tally::End;
use crate::clock::Moment;

/// A place for a connection: one after the other takes it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) state: State,
    pub(super) socket: Option<TcpStream>,
    /// Which of the connections in this place is meant, so that nothing stale reaches a later one.
    pub(super) generation: u32,
    /// When it was to be made.
    pub(super) due: Moment,
    /// When it was established.
    pub(super) since: Moment,
    pub(super) sent: u64,
    pub(super) interest: EpollFlags,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Dialling,
    Open,
}

/// What a step has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// So many octets went over, and more may.
    Moved(u64),
    /// Nothing can be done for now.
    Blocked,
    /// The server has ended it.
    Ended(End),
}

impl Client {
    pub(super) fn new(due: Moment) -> Self {
        Self {
            state: State::Waiting,
            socket: None,
            generation: 0,
            due,
            since: due,
            sent: 0,
            interest: EpollFlags::empty(),
        }
    }

    /// Reads up to the length of `room`.
    pub(super) fn read(&self, room: &mut [u8]) -> Outcome {
        let Some(mut socket) = self.socket.as_ref() else { return Outcome::Blocked };
        match socket.read(room) {
            Ok(0) => Outcome::Ended(End::Finished),
            Ok(count) => Outcome::Moved(count as u64),
            Err(error) => outcome(&error),
        }
    }

    /// Sends what its manner says comes next: all there is, or one octet.
    pub(super) fn write(&mut self, manner: &Manner) -> Outcome {
        let Some(mut socket) = self.socket.as_ref() else { return Outcome::Blocked };
        let octets = manner.script.after(self.sent);
        let most = if manner.sends == Pace::AtOnce { octets.len() } else { 1 };
        match socket.write(&octets[..octets.len().min(most)]) {
            Ok(0) => Outcome::Blocked,
            Ok(count) => {
                self.sent += count as u64;
                Outcome::Moved(count as u64)
            }
            Err(error) => outcome(&error),
        }
    }

    /// What it waits for when it is open. Unread octets must not wake a slow reader.
    pub(super) fn wants(&self, manner: &Manner) -> EpollFlags {
        let mut wants = EpollFlags::EPOLLRDHUP;
        wants.set(EpollFlags::EPOLLIN, manner.reads == Pace::AtOnce);
        let more = !manner.script.after(self.sent).is_empty();
        wants.set(EpollFlags::EPOLLOUT, more && manner.sends == Pace::AtOnce);
        wants
    }

    /// Does what follows the last octet.
    pub(super) fn finish(&self, then: Then) {
        let Some(socket) = self.socket.as_ref() else { return };
        // A connection that the server has ended meanwhile can refuse both, and is over anyway.
        let _ = match then {
            Then::Silence => Ok(()),
            Then::Shutdown => socket.shutdown(Shutdown::Write),
            Then::Reset => SockRef::from(socket).set_linger(Some(Duration::ZERO)),
        };
    }

    /// Makes room for the next connection.
    pub(super) fn close(&mut self) {
        self.socket = None;
        self.state = State::Waiting;
        self.generation = self.generation.wrapping_add(1);
        self.sent = 0;
    }
}

fn outcome(error: &io::Error) -> Outcome {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Outcome::Blocked,
        _ => Outcome::Ended(End::Reset),
    }
}

/// Begins to connect. The receive buffer decides about the window, so it has to be set before
/// (tcp(7)).
pub(super) fn dial(target: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(octets) = receive_buffer {
        socket.set_recv_buffer_size(octets)?;
    }
    match socket.connect(&SockAddr::from(target)) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket.into()),
    }
}
