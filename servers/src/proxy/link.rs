//! A connection to a backend, and where it waits for the next request.
//!
//! A link that is not used is kept by the worker that opened it, and stays registered with that worker's
//! poller: taking it up again costs no call to register it. Two things may happen to it meanwhile: the
//! backend closes it, or says something that nobody has asked for. A poller reports either, and the
//! link is closed; and whoever takes one up looks once more, for the report may still be on its way.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};
use rustix::net::{self, RecvFlags};

use crate::connection::calm;
use crate::drive::blocking::{limit_reads, limit_writes};
use crate::drive::poller::Token;
use crate::listener::Blocking;
use crate::proxy::BackendId;
use crate::worker::Worker;

/// The longest that a call on a link that waits may wait. Nobody can end such a wait from outside (see
/// [`crate::drive::crowd`]), so its thread looks around that often.
const SLICE: Duration = Duration::from_secs(1);

/// A connection to a backend, perhaps one that is still being made.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    /// Whose it is.
    backend: BackendId,
    /// Its name in the poller of the reactor that drives it.
    pub ticket: Option<Token>,
    /// Whether a request has been answered over it before.
    pub used: bool,
    /// Whether octets have come from it that its driver keeps, for nobody has wanted them yet.
    pub kept_octets: bool,
    /// The backend's address in words.
    pub host: Box<str>,
}

/// How long calls on a link that waits may wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For the connection.
    pub connect: Duration,
    /// For octets.
    pub read: Duration,
    /// For room.
    pub write: Duration,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The backend has not answered yet.
    Connecting,
    /// It is there.
    Connected,
}

impl Link {
    /// Begins to connect to a backend. Where the worker's calls wait, so does this one.
    ///
    /// # Errors
    /// When the backend refuses at once, or there is no descriptor, no port, or no room for a descriptor
    /// of that number in what the worker waits with.
    pub fn open(
        backend: BackendId,
        address: SocketAddr,
        waits: Waits,
        worker: &Worker<'_>,
    ) -> io::Result<Self> {
        let stream = new_socket(address, worker)?;
        if worker.blocking == Blocking::Yes {
            limit_reads(stream.as_fd(), waits.read.min(SLICE))?;
            limit_writes(stream.as_fd(), waits.connect)?;
        }
        match connect(stream.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) => {}
            Err(Errno::EINPROGRESS) if worker.blocking == Blocking::No => {}
            // The time-out of a connect that waits (socket(7), SO_SNDTIMEO).
            Err(Errno::EINPROGRESS) => return Err(io::ErrorKind::TimedOut.into()),
            Err(errno) => return Err(errno.into()),
        }
        if worker.blocking == Blocking::Yes {
            limit_writes(stream.as_fd(), waits.write)?;
        }
        let host = address.to_string().into();
        Ok(Self { stream, backend, ticket: None, used: false, kept_octets: false, host })
    }

    /// Whose it is.
    #[must_use]
    pub fn backend(&self) -> BackendId {
        self.backend
    }

    /// How far the connection has come, for whoever has nothing to send yet: a write would tell as well.
    ///
    /// # Errors
    /// When it is not to be had.
    pub fn progress(&self) -> io::Result<Progress> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(Progress::Connected),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(Progress::Connecting),
            Err(error) => Err(error),
        }
    }

    /// Makes calls on it not wait.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unblock(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    /// Closes one direction: the backend reads an end.
    ///
    /// # Errors
    /// When the connection has gone.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// Whether it is as a link must be that waits for a request.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.kept_octets && is_quiet(self.as_fd())
    }
}

/// Whether a connection is open, and silent.
pub(crate) fn is_quiet(socket: BorrowedFd<'_>) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let looked = net::recv(socket, &mut [0; 1], flags);
    matches!(looked.map_err(|errno| calm(errno.into())), Err(Ok(_)))
}

fn new_socket(address: SocketAddr, worker: &Worker<'_>) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let mut flags = SockFlag::SOCK_CLOEXEC;
    flags.set(SockFlag::SOCK_NONBLOCK, worker.blocking == Blocking::No);
    let socket = socket(family, SockType::Stream, flags, None)?;
    if worker.ceiling.is_some_and(|ceiling| socket.as_raw_fd() >= ceiling) {
        return Err(Errno::EMFILE.into());
    }
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    Ok(socket.into())
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsRawFd for Link {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// The links that nobody uses now: those that wait for a request, and those that wait to be closed by
/// the driver, which may have to take them out of its poller first.
#[derive(Debug, Default)]
pub struct Links {
    idle: Vec<Link>,
    retired: Vec<Link>,
}

impl Links {
    /// A link to that backend: the one that was used last, for it is the warmest. Those that are found
    /// closed, or with something to read, are retired.
    pub fn take(&mut self, backend: BackendId) -> Option<Link> {
        loop {
            let place = self.idle.iter().rposition(|link| link.backend == backend)?;
            let link = self.idle.remove(place);
            if link.is_quiet() {
                return Some(link);
            }
            self.retired.push(link);
        }
    }

    /// Keeps a link for the next request, if fewer than `most` links to that backend are kept.
    pub fn keep(&mut self, link: Link, most: usize) {
        let kept = self.idle.iter().filter(|other| other.backend == link.backend).count();
        if kept < most { self.idle.push(link) } else { self.retired.push(link) }
    }

    /// Gives a link up.
    pub fn retire(&mut self, link: Link) {
        self.retired.push(link);
    }

    /// Gives up the idle link of that name.
    pub fn evict(&mut self, ticket: Token) {
        if let Some(place) = self.idle.iter().position(|link| link.ticket == Some(ticket)) {
            self.retired.push(self.idle.remove(place));
        }
    }

    /// Gives up all idle links to backends that are not among `backends`.
    pub fn retain(&mut self, backends: impl Fn(BackendId) -> bool) {
        let (kept, gone) = self.idle.drain(..).partition(|link| backends(link.backend));
        self.idle = kept;
        self.retired.extend::<Vec<_>>(gone);
    }

    /// A link that is to be closed.
    pub fn retired(&mut self) -> Option<Link> {
        self.retired.pop()
    }
}
