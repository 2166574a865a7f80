//! A connected socket to write to: one with room, and one that is full again and again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::EpollFlags;
use socket2::SockRef;

use super::Unit;
use super::habit::{Call, Peer, Socket};
use super::pair;

/// What one write to a socket with room gives it.
const PIECE: usize = 16;
/// For each direction: so little that it does not take long to fill.
const BUFFER: usize = 1 << 16;
/// How long a full socket must stay full, in milliseconds: what the peer's kernel takes it takes
/// meanwhile.
const SETTLED: u16 = 100;

/// A socket with room for more than there is to write.
#[derive(Debug)]
pub(super) struct Outbox {
    ours: TcpStream,
    _peer: TcpStream,
    octets: usize,
}

impl Outbox {
    /// So many octets to write.
    ///
    /// # Errors
    /// When there is no connection.
    pub(super) fn new(octets: usize) -> anyhow::Result<Self> {
        let (ours, peer) = pair::pair()?;
        Ok(Self { ours, _peer: peer, octets })
    }
}

impl Socket for Outbox {
    const READY: EpollFlags = EpollFlags::EPOLLOUT;
    const UNIT: Unit = Unit::Octets;

    fn fd(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }

    fn call(&mut self) -> io::Result<Call> {
        let piece = self.octets.min(PIECE);
        let (call, written) = pair::call(self.ours.write(&[b'.'; PIECE][..piece]))?;
        self.octets -= written.unwrap_or(0);
        Ok(if self.octets == 0 { Call::Last } else { call })
    }

    fn left(&self) -> io::Result<u64> {
        Ok(self.octets as u64)
    }
}

/// A socket with more to write than it ever has room for, and a peer that empties it.
#[derive(Debug)]
pub(super) struct Full {
    ours: TcpStream,
    peer: TcpStream,
    /// Octets that the peer has not read.
    under_way: u64,
    /// How often the peer will empty it.
    times: u32,
}

impl Full {
    /// Full, and to be emptied so often.
    ///
    /// # Errors
    /// When there is no connection.
    pub(super) fn new(times: u32) -> anyhow::Result<Self> {
        let (ours, peer) = pair::pair()?;
        SockRef::from(&ours).set_send_buffer_size(BUFFER)?;
        SockRef::from(&peer).set_recv_buffer_size(BUFFER)?;
        let mut full = Self { ours, peer, under_way: 0, times };
        full.call()?;
        Ok(full)
    }

    /// Writes until there is no room; says how much there was.
    fn write_all_that_fits(&mut self) -> io::Result<u64> {
        let mut written = 0;
        while let Some(octets) = pair::call(self.ours.write(&[b'.'; 4096]))?.1 {
            written += octets as u64;
        }
        Ok(written)
    }

    /// Whether there is room again after a while.
    fn has_room(&self) -> io::Result<bool> {
        let mut asked = [PollFd::new(self.ours.as_fd(), PollFlags::POLLOUT)];
        Ok(poll(&mut asked, PollTimeout::from(SETTLED))? > 0)
    }
}

impl Socket for Full {
    const READY: EpollFlags = EpollFlags::EPOLLOUT;
    const UNIT: Unit = Unit::Octets;

    fn fd(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }

    fn call(&mut self) -> io::Result<Call> {
        let before = self.under_way;
        loop {
            self.under_way += self.write_all_that_fits()?;
            if !self.has_room()? {
                break;
            }
        }
        Ok(if self.under_way > before { Call::Went } else { Call::InVain })
    }

    /// Nothing waits: there is always more to write, and never room for all of it.
    fn left(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn stir(&mut self) -> anyhow::Result<Peer> {
        if self.times == 0 {
            return Ok(Peer::Silent);
        }
        self.times -= 1;
        io::copy(&mut (&self.peer).take(self.under_way), &mut io::sink())?;
        self.under_way = 0;
        Ok(Peer::Stirred)
    }
}
