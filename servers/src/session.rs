//! What a driver drives: one socket or two, and the conversation over them.
//!
//! ```text
//!   driver                                    session
//!     what do you want?          ──────────▶  wants()      read from the client, say
//!     ... waits until that can be had ...
//!     here it is                 ──────────▶  read(end)    one call, and what follows from it
//!     and now?                   ──────────▶  wants()      write to the client, or nothing: over
//! ```
//!
//! That is all that the models, which differ in the waiting, and the applications, which differ in
//! the conversation, know of each other.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::{self, RecvFlags, SendFlags};
use wire::Protocol;

use crate::connection::{Connection, Flow, Interest, Wait};
use crate::control::Ticks;
use crate::listener::Blocking;
use crate::proxy::link::Link;
use crate::worker::Worker;

/// One of the two sides that a session may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client's: every session has it.
    Client,
    /// A backend's: that of a proxy, while it has one.
    Upstream,
}

impl End {
    /// Both, the client's first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Upstream];

    /// The one that talks to this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }
}

/// Something for each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends<T> {
    /// For the client's.
    pub client: T,
    /// For the backend's.
    pub upstream: T,
}

impl<T> Ends<T> {
    /// That of one end.
    pub const fn of(&mut self, end: End) -> &mut T {
        match end {
            End::Client => &mut self.client,
            End::Upstream => &mut self.upstream,
        }
    }
}

/// What a session wants of its sockets. Nothing at all says that it is over.
pub type Wants = Ends<Option<Interest>>;

impl Wants {
    /// Whether the session is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        self.client.is_none() && self.upstream.is_none()
    }

    /// What it wants, if that is one thing of one socket: then a call that waits will do.
    #[must_use]
    pub const fn only(self) -> Option<(End, Interest)> {
        match (self.client, self.upstream) {
            (Some(Interest::Either), _) | (_, Some(Interest::Either)) => None,
            (Some(interest), None) => Some((End::Client, interest)),
            (None, Some(interest)) => Some((End::Upstream, interest)),
            _ => None,
        }
    }
}

/// Who makes the calls that move a session's octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Whoever drives it may, into and out of its memory.
    Anyone,
    /// The session: its octets never come into memory of ours. It is told by others of errors only.
    Itself,
}

/// One or two sockets of which something is wanted, until it is over.
///
/// The drivers know nothing else about a server: they wait until the session can have what it
/// wants, and let it have it. [`read`](Self::read) and [`write`](Self::write) make the system calls
/// for those who wait for readiness or in the call itself. Whoever hands the calls to the kernel
/// and waits for their completion takes the octets from [`spare`](Self::spare) and
/// [`output`](Self::output), and tells by [`received`](Self::received) and [`sent`](Self::sent)
/// what became of them.
pub trait Session: Send {
    /// The socket of that end. The backend's is asked for only while there is a
    /// [`link`](Self::link).
    fn socket(&self, end: End) -> BorrowedFd<'_>;

    /// What it wants.
    fn wants(&self) -> Wants;

    /// Where a read puts what it finds: never empty while the read is wanted, unless the session
    /// itself [makes the calls](Self::calls).
    fn spare<'s>(&'s mut self, end: End, worker: &mut Worker<'_>) -> &'s mut [u8];

    /// A read has brought so many octets, or none because the peer has closed, or an error. The
    /// error may come when no read is wanted: somebody has found the connection broken.
    ///
    /// # Errors
    /// When the session is broken; it is to be dropped then.
    fn received(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow>;

    /// What a write takes. When it is empty, what is to be written comes from elsewhere, by
    /// [`write_outside`](Self::write_outside).
    fn output(&self, end: End) -> &[u8];

    /// A write has taken so many octets, or failed.
    ///
    /// # Errors
    /// When the session is broken; it is to be dropped then.
    fn sent(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow>;

    /// Writes once what is not in [`output`](Self::output) but in a file.
    ///
    /// # Errors
    /// When the session is broken; it is to be dropped then.
    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let _ = worker;
        Ok(Flow::More)
    }

    /// Reads once.
    ///
    /// # Errors
    /// When the session is broken; it is to be dropped then.
    fn read(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        worker.counters.reads.count();
        let socket = self.socket(end).as_raw_fd();
        let spare = self.spare(end, worker);
        debug_assert!(!spare.is_empty(), "a read of nothing looks like an end");
        // SAFETY: the session keeps its sockets open, and only its spare octets are lent here.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        let count = receive(socket, spare);
        self.received(end, count, worker)
    }

    /// Writes once.
    ///
    /// # Errors
    /// When the session is broken; it is to be dropped then.
    fn write(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        worker.counters.writes.count();
        let output = self.output(end);
        if output.is_empty() {
            return self.write_outside(worker);
        }
        // Where something else may happen meanwhile, a write must not wait.
        let blocking = match self.is_full_duplex() || self.wants().only().is_none() {
            true => Blocking::No,
            false => Blocking::Yes,
        };
        let count = send(self.socket(end), output, blocking);
        self.sent(end, count, worker)
    }

    /// Who makes the calls that move its octets: when it is the session, [`spare`](Self::spare) is
    /// empty and [`received`](Self::received) and [`sent`](Self::sent) are not for it.
    fn calls(&self) -> Calls {
        Calls::Anyone
    }

    /// Whether it may want something of both sockets at any time. Calls on its sockets never wait,
    /// and whoever drives it by calls that wait must look first.
    fn is_full_duplex(&self) -> bool {
        false
    }

    /// The connection to a backend that it uses now.
    fn link(&mut self) -> Option<&mut Link> {
        None
    }

    /// It is about to be dropped: gives back what belongs to its worker.
    fn leave(&mut self, worker: &mut Worker<'_>) {
        let _ = worker;
    }

    /// What it waits for.
    fn wait(&self) -> Wait;

    /// When its patience ends.
    fn deadline(&self, worker: &Worker<'_>) -> Ticks;

    /// Its patience has ended.
    fn expire(&mut self, worker: &mut Worker<'_>);

    /// The server wants to stop: end at the next boundary between messages, if any are known.
    ///
    /// It is asked for that after a tick in which what its client sent was still answered, and
    /// again from time to time for as long as it is there. Being asked is cheap, and no sign of
    /// life from anybody: where it changes nothing, the [deadline](Self::deadline) stays where it
    /// was.
    fn close_soon(&mut self, worker: &mut Worker<'_>);
}

/// Reads by a system call and nothing around it.
///
/// The C library's recv and send are points where a thread may be cancelled: in a process with
/// threads each call pays for two atomic operations, which would be a part of what is measured
/// here.
pub(crate) fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    let (count, _) = net::recv(socket, into, RecvFlags::empty())?;
    Ok(count)
}

/// Writes by a system call and nothing around it. With [`Blocking::No`] it takes only what fits
/// now, even of a socket that waits.
fn send(socket: BorrowedFd<'_>, from: &[u8], blocking: Blocking) -> io::Result<usize> {
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::DONTWAIT, blocking == Blocking::No);
    Ok(net::send(socket, from, flags)?)
}

/// A protocol that may owe octets from [outside](Protocol::outside) its output.
pub trait Serves: Protocol + Send {
    /// Copies some of them into `socket`; says how many.
    ///
    /// # Errors
    /// When the socket is full or broken, or the source does not hold what was promised.
    fn send_outside(&mut self, socket: BorrowedFd<'_>) -> io::Result<u64> {
        let _ = socket;
        Ok(0)
    }
}

/// A session with one socket: a client that is served.
#[derive(Debug)]
pub struct Served<P> {
    stream: TcpStream,
    connection: Connection<P>,
}

impl<P: Serves> Served<P> {
    /// Serves the client at the other end of `stream`.
    #[must_use]
    pub fn new(stream: TcpStream, protocol: P, now: Ticks) -> Self {
        Self { stream, connection: Connection::new(protocol, now) }
    }

    /// Does `step`; when the connection begins to linger with it, tells the peer that nothing more
    /// will come.
    fn step<T>(&mut self, step: impl FnOnce(&mut Connection<P>) -> T) -> T {
        let lingered = self.connection.lingers();
        let result = step(&mut self.connection);
        if !lingered && self.connection.lingers() {
            // If the peer has gone meanwhile, the next read says so.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        result
    }
}

impl<P: Serves> Session for Served<P> {
    fn socket(&self, _end: End) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn wants(&self) -> Wants {
        Wants { client: self.connection.interest(), upstream: None }
    }

    fn spare<'s>(&'s mut self, _end: End, worker: &mut Worker<'_>) -> &'s mut [u8] {
        self.connection.spare(worker)
    }

    fn received(
        &mut self,
        _end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        self.step(|connection| connection.received(count, worker))
    }

    fn output(&self, _end: End) -> &[u8] {
        self.connection.output()
    }

    fn sent(
        &mut self,
        _end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        self.step(|connection| connection.sent(count, worker))
    }

    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let sent = match self.connection.protocol().send_outside(self.stream.as_fd()) {
            Ok(sent) => sent,
            Err(error) => return crate::connection::calm(error),
        };
        worker.counters.octets_out.add(sent);
        self.connection.protocol().sent_outside(sent);
        self.step(|connection| connection.written(worker));
        Ok(Flow::More)
    }

    fn wait(&self) -> Wait {
        self.connection.wait()
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        self.connection.deadline(&worker.control.patience)
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        self.step(|connection| connection.expire(worker));
    }

    fn close_soon(&mut self, worker: &mut Worker<'_>) {
        self.step(|connection| connection.close_soon(worker));
    }
}
