//! How a session hears that its client has reset the connection while nothing is wanted from it.
//!
//! Whoever does not read is told of a reset by nobody, and a session that is simply dropped then
//! would end its connection to a backend as if all were well. So a driver that has a reason to look
//! does, and the session is told as if a read had failed: what it passes on is its own business.

use std::io;
use std::os::fd::BorrowedFd;

use nix::sys::socket::{getsockopt, sockopt};

use crate::session::{End, Session};
use crate::worker::Worker;

/// Tells `session` if its client has reset the connection.
///
/// # Errors
/// When it has, and the session is broken by that; it is to be dropped then.
pub(super) fn tell_if_reset(session: &mut dyn Session, worker: &mut Worker<'_>) -> io::Result<()> {
    match error_of(session.socket(End::Client)) {
        None => Ok(()),
        Some(error) => session.received(End::Client, Err(error), worker).map(drop),
    }
}

/// What is wrong with a connection (socket(7), SO_ERROR). The kernel says it once.
fn error_of(socket: BorrowedFd<'_>) -> Option<io::Error> {
    match getsockopt(&socket, sockopt::SocketError) {
        Ok(0) => None,
        Ok(number) => Some(io::Error::from_raw_os_error(number)),
        Err(errno) => Some(errno.into()),
    }
}
