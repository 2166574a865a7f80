//! A connected socket with something to read: octets, or the end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::epoll::EpollFlags;

use super::Unit;
use super::habit::{Call, Peer, Socket};
use super::pair;

/// What one read takes at most.
const BUFFER: usize = 16;

/// A socket, and a peer that sends messages.
#[derive(Debug)]
pub(super) struct Inbox {
    ours: TcpStream,
    peer: TcpStream,
    message: Vec<u8>,
    /// How many messages come when nothing happens.
    late: u32,
}

impl Inbox {
    /// One message of so many octets that is here, and so many more that come when nothing happens.
    ///
    /// # Errors
    /// When they do not get here.
    pub(super) fn new(octets: usize, late: u32) -> anyhow::Result<Self> {
        let (ours, peer) = pair::pair()?;
        let mut inbox = Self { ours, peer, message: vec![b'.'; octets], late };
        inbox.receive()?;
        Ok(inbox)
    }

    /// No octets, and there will be none.
    ///
    /// # Errors
    /// When that is not heard of.
    pub(super) fn ended() -> anyhow::Result<Self> {
        let inbox = Self::new(0, 0)?;
        inbox.peer.shutdown(Shutdown::Write)?;
        pair::arrives("the end", || Ok(inbox.peek()? == Call::Went))?;
        Ok(inbox)
    }

    /// Lets one more message come.
    ///
    /// # Errors
    /// When it does not get here.
    pub(super) fn receive(&mut self) -> anyhow::Result<()> {
        let all = self.left()? + self.message.len() as u64;
        self.peer.write_all(&self.message)?;
        pair::arrives("a message", || Ok(self.left()? >= all))
    }

    fn peek(&self) -> io::Result<Call> {
        Ok(pair::call(self.ours.peek(&mut [0]))?.0)
    }
}

impl Socket for Inbox {
    const READY: EpollFlags = EpollFlags::EPOLLIN;
    const UNIT: Unit = Unit::Octets;

    fn fd(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }

    fn call(&mut self) -> io::Result<Call> {
        match pair::call(self.ours.read(&mut [0; BUFFER]))? {
            // The end is nothing, too.
            (_, Some(0)) => Ok(Call::InVain),
            (call, _) => Ok(call),
        }
    }

    fn left(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.ours)?)
    }

    fn stir(&mut self) -> anyhow::Result<Peer> {
        if self.late == 0 {
            return Ok(Peer::Silent);
        }
        self.late -= 1;
        self.receive()?;
        Ok(Peer::Stirred)
    }
}
