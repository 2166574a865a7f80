//! A way to interrupt a wait: an eventfd(2) that is watched like any socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes the worker that watches it.
///
/// Every model that waits for many sockets in one place watches one of these beside them, so that a
/// stop, a tick of the clock or a new connection from an acceptor reaches it while it waits without
/// a time-out. It costs all of them the same: one descriptor more.
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    /// A waker at rest.
    ///
    /// # Errors
    /// When there is no descriptor left for it (eventfd(2)).
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?))
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        // The only failure is a full counter, and then it is readable already.
        let _ = self.0.write(1);
    }

    /// Makes it unreadable again.
    pub fn rest(&self) {
        while self.0.read() == Err(Errno::EINTR) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
