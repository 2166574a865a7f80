//! The classes of errors, and which one an error of the kernel belongs to.

use std::io;

use crate::report::Errors;

/// What can go wrong with a connection or with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There was no connection to be had.
    Connect,
    /// A read failed.
    Read,
    /// A write failed.
    Write,
    /// The server reset the connection.
    Reset,
    /// The server closed the connection in place of an answer.
    Closed,
    /// No answer in time.
    Timeout,
    /// An HTTP status other than 2xx.
    Status,
    /// A wrong reply.
    Mismatch,
    /// A reply without the id of its request: the one to another request, as a rule.
    Mispaired,
}

impl Fault {
    /// The class of a failed read.
    #[must_use]
    pub fn of_read(error: &io::Error) -> Self {
        Self::reset_or(error, Self::Read)
    }

    /// The class of a failed write. `EPIPE` is a reset: one came in earlier (tcp(7)).
    #[must_use]
    pub fn of_write(error: &io::Error) -> Self {
        Self::reset_or(error, Self::Write)
    }

    fn reset_or(error: &io::Error, other: Self) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        if matches!(error.kind(), BrokenPipe | ConnectionReset) { Self::Reset } else { other }
    }

    /// Adds one to the count of this class.
    pub fn count(self, errors: &mut Errors) {
        let count = match self {
            Self::Connect => &mut errors.connect,
            Self::Read => &mut errors.read,
            Self::Write => &mut errors.write,
            Self::Reset => &mut errors.reset,
            Self::Closed => &mut errors.closed,
            Self::Timeout => &mut errors.timeout,
            Self::Status => &mut errors.status,
            Self::Mismatch => &mut errors.mismatch,
            Self::Mispaired => &mut errors.mispaired,
        };
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_count() {
        use Fault::{Closed, Connect, Mismatch, Mispaired, Read, Reset, Status, Timeout, Write};
        let mut errors = Errors::default();
        for fault in [Connect, Read, Write, Reset, Closed, Timeout, Status, Mismatch, Mispaired] {
            fault.count(&mut errors);
        }
        let once = Errors {
            connect: 1,
            read: 1,
            write: 1,
            reset: 1,
            closed: 1,
            timeout: 1,
            status: 1,
            mismatch: 1,
            mispaired: 1,
        };
        assert_eq!(errors, once);
    }

    #[test]
    fn a_broken_pipe_is_a_reset() {
        assert_eq!(Fault::of_write(&io::ErrorKind::BrokenPipe.into()), Fault::Reset);
        assert_eq!(Fault::of_read(&io::ErrorKind::ConnectionReset.into()), Fault::Reset);
        assert_eq!(Fault::of_read(&io::ErrorKind::TimedOut.into()), Fault::Read);
        assert_eq!(Fault::of_write(&io::ErrorKind::OutOfMemory.into()), Fault::Write);
    }
}
