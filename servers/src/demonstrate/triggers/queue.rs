//! A listening socket, and clients that nobody has accepted.

use std::io;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::epoll::EpollFlags;

use super::Unit;
use super::habit::{Call, Peer, Socket};
use super::pair;

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
        Ok(tcp_info(self.fd())?.tcpi_unacked.into())
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

/// What the kernel knows of a TCP socket. Of one that listens, `tcpi_unacked` is the number of
/// connections that wait to be accepted (`tcp_get_info` in net/ipv4/tcp.c).
fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` octets, and that many are there.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all of it is integers, and what the kernel did not write is 0.
    Ok(unsafe { info.assume_init() })
}
