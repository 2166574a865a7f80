//! What a driver drives: a socket, and the conversation over it.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{self, RecvFlags, SendFlags};
use wire::Protocol;

use crate::connection::{Connection, Flow, Interest, Wait};
use crate::control::Ticks;
use crate::worker::Worker;

/// Something with a socket that wants one thing at a time, until it is over.
///
/// The drivers know nothing else about a server: they wait until the session can have what it wants,
/// and let it have it.
pub trait Session: Send {
    /// The socket to wait for.
    fn socket(&self) -> BorrowedFd<'_>;

    /// What it wants, or `None` when it is over.
    fn interest(&self) -> Option<Interest>;

    /// Reads once.
    ///
    /// # Errors
    /// When the connection is broken; it is to be dropped then.
    fn read(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow>;

    /// Writes once.
    ///
    /// # Errors
    /// When the connection is broken; it is to be dropped then.
    fn write(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow>;

    /// What it waits for.
    fn wait(&self) -> Wait;

    /// When its patience ends.
    fn deadline(&self, worker: &Worker<'_>) -> Ticks;

    /// Its patience has ended.
    fn expire(&mut self, worker: &mut Worker<'_>);

    /// The server wants to stop: end at the next boundary between messages.
    fn close_soon(&mut self, worker: &mut Worker<'_>);
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

/// Reads and writes by system calls and nothing around them.
///
/// The C library's recv and send are points where a thread may be cancelled: in a process with threads
/// each call pays for two atomic operations, which would be a part of what is measured here.
struct Socket<'a>(&'a TcpStream);

impl io::Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (count, _) = net::recv(self.0, into, RecvFlags::empty())?;
        Ok(count)
    }
}

impl io::Write for Socket<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(net::send(self.0, from, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        worker.counters.writes.count();
        let sent = match self.connection.protocol().send_outside(self.stream.as_fd()) {
            Ok(sent) => sent,
            Err(error) => return crate::connection::calm(error),
        };
        worker.counters.octets_out.add(sent);
        self.connection.protocol().sent_outside(sent);
        self.connection.written(worker);
        Ok(Flow::More)
    }

    /// Does `step`; when the connection begins to linger with it, tells the peer that nothing more
    /// will come.
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> T {
        let lingered = self.connection.lingers();
        let result = step(self);
        if !lingered && self.connection.lingers() {
            // If the peer has gone meanwhile, the next read says so.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        result
    }
}

impl<P: Serves> Session for Served<P> {
    fn socket(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn interest(&self) -> Option<Interest> {
        self.connection.interest()
    }

    fn read(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        self.step(|session| session.connection.fill(&mut Socket(&session.stream), worker))
    }

    fn write(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        self.step(|session| {
            if session.connection.has_output() {
                session.connection.flush(&mut Socket(&session.stream), worker)
            } else {
                session.write_outside(worker)
            }
        })
    }

    fn wait(&self) -> Wait {
        self.connection.wait()
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        self.connection.deadline(&worker.control.patience)
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        self.step(|session| session.connection.expire(worker));
    }

    fn close_soon(&mut self, worker: &mut Worker<'_>) {
        self.connection.close_soon(worker);
    }
}
