//! What this process, or its host, has run out of: descriptors, memory, ports.
//!
//! A call that makes something (an accepted socket, a connection, a process) may fail for want of
//! them. That says nothing about whoever is at the other end: it is no reason to take a backend
//! out, to end a client or to kill a replica.

use std::io;

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
