//! A listening socket, and clients that nobody has accepted.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::epoll::EpollFlags;

use super::Unit;
use super::habit::{Call, Peer, Socket};
use super::pair;
use crate::accept_queue;

/// A listener, with its clients.
#[derive(Debug)]
pub(super) struct Queue {
    listener: TcpListener,
    /// The clients' ends, and ours of those that were accepted: all stay.
    ends: Vec<TcpStream>,
    /// How many come when nothing happens.
    late: u32,
}

impl Queue {
    /// So many that are here, and so many that come when nothing happens.
    ///
    /// # Errors
    /// When they do not get here.
    pub(super) fn new(here: u32, late: u32) -> anyhow::Result<Self> {
        let mut queue = Self { listener: pair::listener()?, ends: Vec::new(), late };
        (0..here).try_for_each(|_| queue.welcome())?;
        Ok(queue)
    }

    fn welcome(&mut self) -> anyhow::Result<()> {
        let before = self.left()?;
        self.ends.push(pair::client(&self.listener)?);
        pair::arrives("a client", || Ok(self.left()? > before))
    }
}

impl Socket for Queue {
    const READY: EpollFlags = EpollFlags::EPOLLIN;
    const UNIT: Unit = Unit::Connections;

    fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    fn call(&mut self) -> io::Result<Call> {
        let (call, accepted) = pair::call(self.listener.accept())?;
        self.ends.extend(accepted.map(|(stream, _)| stream));
        Ok(call)
    }

    fn left(&self) -> io::Result<u64> {
        Ok(accept_queue::length(self.fd())?.into())
    }

    fn stir(&mut self) -> anyhow::Result<Peer> {
        if self.late == 0 {
            return Ok(Peer::Silent);
        }
        self.late -= 1;
        self.welcome()?;
        Ok(Peer::Stirred)
    }
}
