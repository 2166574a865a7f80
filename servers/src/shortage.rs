//! What this process, or its host, has run out of: descriptors, memory, ports.
//!
//! A call that makes something (an accepted socket, a connection, a process) may fail for want of
//! them. That says nothing about whoever is at the other end: it is no reason to take a backend
//! out, to end a client or to kill a replica.
//!
//! But there may be descriptors that are only kept for later: idle connections to backends, empty
//! pipes. Those are given up first. A worker closes its own; who has none makes an [`Appeal`] to
//! the others.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

/// Whether a call that makes a descriptor or a connection has failed by a shortage of ours
/// (accept(2), socket(2), connect(2), pipe(2)).
pub(crate) const fn is_ours(errno: Errno) -> bool {
    use Errno::{EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(errno, EMFILE | ENFILE | ENOBUFS | ENOMEM | EADDRNOTAVAIL)
}

/// The same of a call that does not wait for anything, or of fork(2): there EAGAIN is a limit, too.
pub(crate) fn has_caused(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.is_some_and(|errno| is_ours(errno) || errno == Errno::EAGAIN)
}

/// Whether it is descriptors that have run out.
pub(crate) fn is_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

/// Somebody has no descriptor, and asks the workers of the same table to close one that they only
/// keep.
#[derive(Debug, Default)]
pub struct Appeal {
    open: Mutex<bool>,
    over: Condvar,
}

impl Appeal {
    /// Makes it; says whether nobody else has.
    pub(crate) fn make(&self) -> bool {
        !std::mem::replace(&mut *self.open(), true)
    }

    /// Whether somebody has made it.
    pub(crate) fn is_open(&self) -> bool {
        *self.open()
    }

    /// A descriptor has been closed, or it has become clear that nobody has one to spare.
    pub(crate) fn end(&self) {
        *self.open() = false;
        self.over.notify_all();
    }

    /// Waits until it has ended, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) {
        drop(self.over.wait_timeout_while(self.open(), at_most, |open| *open));
    }

    fn open(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_end_has_done_is_no_shortage_of_ours() {
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL, Errno::EAGAIN] {
            assert!(has_caused(&errno.into()), "{errno}");
        }
        for errno in [Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::ETIMEDOUT, Errno::ENOENT] {
            assert!(!has_caused(&errno.into()), "{errno}");
        }
        // What a time-out of ours is called, once a wait for it has been told from an EAGAIN.
        assert!(!has_caused(&io::ErrorKind::TimedOut.into()));
    }
}
