//! A UDP socket that is read in one of the usual ways; what comes out is the same for all of them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, bail};
use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

use super::Wait;
use super::batch::{Batch, Block, Gone, MOST};
use crate::stop::GLANCE;

/// How to receive.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reception {
    /// How to wait for packets [default: recvmmsg, or poll with AF_XDP]
    #[arg(long, value_enum)]
    pub wait: Option<Wait>,
    /// How many packets to take at once
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST)))]
    pub batch: u16,
    /// Octets that may wait in the socket; each datagram counts with the memory that it takes,
    /// several hundred octets [default: net.core.rmem_default]
    #[arg(long, value_name = "OCTETS",
          value_parser = clap::value_parser!(u32).range(2_304..=1_073_741_824))]
    pub room: Option<u32>,
}

/// A socket and the way to read it.
#[derive(Debug)]
pub struct Receiver {
    socket: UdpSocket,
    wait: Wait,
    epoll: Option<Epoll>,
    batch: Batch,
    calls: u64,
}

impl Receiver {
    /// A socket at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken or not of this host, or this is no way to wait for a UDP socket.
    pub fn open(address: SocketAddr, how: Reception) -> anyhow::Result<Self> {
        let wait = how.wait.unwrap_or_default();
        if wait == Wait::Poll {
            bail!("--wait poll is for AF_XDP: name an --interface, or wait with epoll");
        }
        let socket = UdpSocket::bind(address).with_context(|| {
            format!("cannot receive at {address}: port 0 would take a free one")
        })?;
        how.room.map_or(Ok(()), |octets| make_room(&socket, octets))?;
        // A wait ends now and then, to see whether to stop.
        socket.set_read_timeout(Some(GLANCE)).context("setting how long a wait may take")?;
        let epoll = (wait == Wait::Epoll).then(|| watched(&socket)).transpose()?;
        let batch = Batch::new(how.batch);
        Ok(Self { socket, wait, epoll, batch, calls: 0 })
    }

    /// Where it receives.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// How it waits.
    #[must_use]
    pub fn wait(&self) -> Wait {
        self.wait
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// How many system calls it has taken until now.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The datagrams that came last.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Waits for datagrams. Returns how many have come: 0 when it is time to look around.
    ///
    /// # Errors
    /// What the socket says, other than that nothing has come.
    pub fn receive(&mut self) -> io::Result<usize> {
        self.calls += 1;
        let socket = self.socket.as_fd();
        let came = match self.wait {
            Wait::Recv => self.batch.receive_one(socket),
            Wait::Recvmmsg => self.batch.receive(socket, Block::UntilOne),
            Wait::Epoll | Wait::Busy | Wait::Poll => self.batch.receive(socket, Block::Never),
        };
        match came {
            Err(error) if is_quiet(&error) => self.rest(),
            came => came,
        }
    }

    /// Sends what came last back to where it comes from.
    pub fn send_back(&mut self) -> Gone {
        let gone = self.batch.send_back(self.socket.as_fd());
        self.calls += gone.calls;
        gone
    }

    /// Nothing is there: sleeps until something is, where that is not what receiving does.
    fn rest(&mut self) -> io::Result<usize> {
        if let Some(epoll) = &self.epoll {
            self.calls += 1;
            let mut ready = [EpollEvent::empty()];
            let glance = EpollTimeout::try_from(GLANCE).unwrap_or(EpollTimeout::ZERO);
            match epoll.wait(&mut ready, glance) {
                Err(nix::errno::Errno::EINTR) | Ok(_) => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}

/// Whether it only says that nothing has come. An ICMP error speaks of a datagram sent before, to
/// somebody who was not there: no reason not to hear the others.
fn is_quiet(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused)
}

fn watched(socket: &UdpSocket) -> anyhow::Result<Epoll> {
    let watch = || {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok::<_, nix::errno::Errno>(epoll)
    };
    watch().context("watching the socket by epoll")
}

/// SO_RCVBUFFORCE goes beyond net.core.rmem_max, for whoever may; SO_RCVBUF does not. The kernel
/// doubles what it is told, for what it needs itself (socket(7)): so it is told half.
fn make_room(socket: &UdpSocket, octets: u32) -> anyhow::Result<()> {
    let half = octets as usize / 2;
    setsockopt(socket, sockopt::RcvBufForce, &half)
        .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &half))
        .with_context(|| format!("making room for {octets} octets in the socket"))
}

/// How many datagrams the kernel threw away because the socket had no more room: the last of the
/// numbers of SO_MEMINFO (since Linux 4.12). `None` where the kernel does not tell.
#[must_use]
pub fn overflowed(socket: &UdpSocket) -> Option<u64> {
    const DROPS: usize = 8;
    let mut numbers = [0_u32; DROPS + 1];
    let mut length = size_of_val(&numbers) as libc::socklen_t;
    let to = numbers.as_mut_ptr().cast();
    let descriptor = socket.as_raw_fd();
    // SAFETY: `to` has room for `length` octets.
    let answer = unsafe {
        libc::getsockopt(descriptor, libc::SOL_SOCKET, libc::SO_MEMINFO, to, &raw mut length)
    };
    (answer == 0 && length as usize == size_of_val(&numbers)).then(|| numbers[DROPS].into())
}
