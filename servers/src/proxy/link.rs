//! A connection to a backend, and where it waits for the next request.
//!
//! A link that is not used is kept by the worker that opened it, and stays registered with that
//! worker's poller: taking it up again costs no call to register it. Workers that wait in their
//! calls have no poller, and keep theirs together.
//!
//! Meanwhile the backend may close it, or say something that nobody has asked for. Where the poller
//! still watches, it reports that at once. Not all do: the threads have none, and a descriptor that
//! was reported once or in vain may not be watched any more. To ask for it again would cost each
//! request a call. So whoever keeps links [goes through them](Links::go_through) once a second
//! instead, and lets go
//!
//! - those that are closed, or have something to say,
//! - those that nobody has taken for so long that the backend may be about to close them,
//! - those whose backend has been replaced: nobody asks for them again.
//!
//! And whoever takes one up looks once more, for all that may have happened just now.
//!
//! Where descriptors run out, the link that has waited longest is given up. Its poller may have to
//! be told before it is closed, and a session that needs its descriptor now can't wait for that. So
//! there is another one in *reserve*, open for nothing but its number: the session gets that, and
//! when the link has been closed, its number is the next reserve.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};
use rustix::net::{self, RecvFlags};

use crate::connection::calm;
use crate::control::Ticks;
use crate::drive::blocking::{limit_reads, limit_writes};
use crate::drive::poller::Token;
use crate::listener::Blocking;
use crate::proxy::backend::host_of;
use crate::proxy::{Backend, BackendId};
use crate::worker::Worker;

/// The longest that a call on a link that waits may wait. Nobody can end such a wait from outside
/// (see [`crate::drive::crowd`]), so its thread looks around that often.
const SLICE: Duration = Duration::from_secs(1);

/// How often idle links are gone through.
const ROUND: Duration = Duration::from_secs(1);

/// A connection to a backend, perhaps one that is still being made.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    /// Whose it is.
    backend: Arc<Backend>,
    /// When it is let go, if nobody has taken it up by then.
    until: Ticks,
    /// Its name in the poller of the reactor that drives it.
    pub ticket: Option<Token>,
    /// Whether a request has been answered over it before.
    pub used: bool,
    /// Whether octets have come from it that its driver keeps, for nobody has wanted them yet.
    pub kept_octets: bool,
    /// The backend's address as its Host.
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
    /// When the backend refuses at once, or there is no descriptor, no port, or no room for a
    /// descriptor of that number in what the worker waits with.
    pub fn open(backend: &Arc<Backend>, waits: Waits, worker: &Worker<'_>) -> io::Result<Self> {
        let address = backend.address;
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
        let (backend, host) = (Arc::clone(backend), host_of(address).into());
        let until = Ticks::NEVER;
        Ok(Self { stream, backend, until, ticket: None, used: false, kept_octets: false, host })
    }

    /// How far the connection has come.
    ///
    /// # Errors
    /// When it is not to be had.
    pub fn progress(&self) -> io::Result<Progress> {
        progress_of(&self.stream)
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

    /// Whether somebody may take it up later.
    fn is_worth_keeping(&self, now: Ticks) -> bool {
        now < self.until && !self.backend.has_left() && self.is_quiet()
    }

    /// Whether it is as a link must be that waits for a request.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.kept_octets && is_quiet(self.as_fd())
    }
}

/// How far a connection has come, for whoever has nothing to send yet: a write would tell as well.
///
/// # Errors
/// When it is not to be had.
pub(super) fn progress_of(stream: &TcpStream) -> io::Result<Progress> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(Progress::Connected),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(Progress::Connecting),
        Err(error) => Err(error),
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

/// The links that nobody uses now: those that wait for a request, and those that wait to be closed
/// by the driver, which may have to take them out of its poller first.
#[derive(Debug, Default)]
pub struct Links {
    idle: Vec<Link>,
    retired: Vec<Link>,
    /// When they are gone through next.
    due: Ticks,
    /// A descriptor that can be done without at any time.
    reserve: Option<EventFd>,
}

/// How long links are kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// The most to one backend.
    pub most: usize,
    /// When this one is let go.
    pub until: Ticks,
}

impl Links {
    /// A link to that backend: the one that was used last, for it is the warmest. Those that are
    /// found closed, with something to read, or kept for too long are retired.
    pub fn take(&mut self, backend: BackendId, now: Ticks) -> Option<Link> {
        loop {
            let place = self.idle.iter().rposition(|link| link.backend.id == backend)?;
            let link = self.idle.remove(place);
            if link.is_worth_keeping(now) {
                return Some(link);
            }
            self.retired.push(link);
        }
    }

    /// Keeps a link for the next request, if fewer than `most` links to that backend are kept.
    pub fn keep(&mut self, mut link: Link, keeping: Keeping) {
        link.until = keeping.until;
        let of_same = self.idle.iter().filter(|other| other.backend.id == link.backend.id);
        let kept = of_same.count() < keeping.most && !link.backend.has_left();
        if kept { self.idle.push(link) } else { self.retired.push(link) }
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

    /// How many are idle.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Gives up the link that has been idle for longest; says whether there was one.
    pub fn give_up(&mut self) -> bool {
        // They are in the order in which they were kept.
        let oldest = (!self.idle.is_empty()).then(|| self.idle.remove(0));
        let given = oldest.is_some();
        self.retired.extend(oldest);
        given
    }

    /// The same, and frees a descriptor at once; says whether it could.
    pub fn make_room(&mut self) -> bool {
        self.give_up() && self.reserve.take().is_some()
    }

    /// Sees to it that there is a reserve for as long as there are links to be given up. Whoever
    /// has closed one calls this.
    pub fn fill_reserve(&mut self) {
        if self.reserve.is_none() && !self.idle.is_empty() {
            // Where there is no descriptor yet, the next one who closes a link gets it.
            self.reserve = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).ok();
        }
    }

    /// Gives up the idle links that are of no use any more. At each tick it may be asked to; it
    /// does so once a second.
    pub fn go_through(&mut self, now: Ticks) {
        if now < self.due {
            return;
        }
        self.due = now.after(ROUND.into());
        self.retired.extend(self.idle.extract_if(.., |link| !link.is_worth_keeping(now)));
    }

    /// A link that is to be closed.
    pub fn retired(&mut self) -> Option<Link> {
        self.retired.pop()
    }

    /// Closes those that are to be closed, where no poller has to be told first.
    pub fn close_retired(&mut self) {
        self.retired.clear();
    }
}
