//! Driving a session by calls that wait.
//!
//! The loop is what a beginner would write: read, work, write, read again. The only thing to add are
//! deadlines, and the kernel keeps those: SO_RCVTIMEO and SO_SNDTIMEO (socket(7)) make a read or a
//! write give up. The time-out for the next message is set once for a connection; only a client that
//! is slow in the middle of a message costs further calls.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::sys::socket::{self, sockopt};
use nix::sys::time::TimeVal;

use crate::connection::{Interest, Wait};
use crate::control::Phase;
use crate::session::Session;
use crate::worker::Worker;

/// Drives `session` until it is over, and drops it.
pub fn run(mut session: Box<dyn Session>, worker: &mut Worker<'_>) {
    worker.counters.accepted.count();
    let taken = worker.control.crowd.sit(session.socket());
    let mut driver = Driver { armed: None, asked_to_close: false };
    while let Some(interest) = session.interest() {
        taken.seat().note(session.wait() == Wait::Idle);
        if driver.step(session.as_mut(), interest, worker).is_err() {
            break;
        }
    }
    // The seat is left before the socket is closed, for its number may be another's right after.
    drop(taken);
    worker.counters.closed.count();
}

struct Driver {
    /// What the read time-out is set for; `None` when it must be set anew.
    armed: Option<Wait>,
    asked_to_close: bool,
}

impl Driver {
    fn step(
        &mut self,
        session: &mut dyn Session,
        interest: Interest,
        worker: &mut Worker<'_>,
    ) -> io::Result<()> {
        match interest {
            Interest::Write => session.write(worker)?,
            Interest::Read => {
                self.arm(session, worker)?;
                session.read(worker)?
            }
        };
        if worker.control.now() >= session.deadline(worker) {
            session.expire(worker);
        }
        if worker.control.phase() != Phase::Serving && !self.asked_to_close {
            self.asked_to_close = true;
            session.close_soon(worker);
        }
        Ok(())
    }

    /// Limits how long the next read may wait.
    fn arm(&mut self, session: &dyn Session, worker: &Worker<'_>) -> io::Result<()> {
        let wait = session.wait();
        if wait == Wait::Idle && self.armed == Some(Wait::Idle) {
            return Ok(());
        }
        self.armed = Some(wait);
        let patience = worker.control.now().until(session.deadline(worker));
        // Nothing at all would mean for ever.
        limit_reads(session.socket(), patience.max(Duration::from_millis(1)))
    }
}

/// Makes reads from `socket`, or accepts, give up after `patience`.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn limit_reads(socket: BorrowedFd<'_>, patience: Duration) -> io::Result<()> {
    Ok(socket::setsockopt(&socket, sockopt::ReceiveTimeout, &time_val(patience))?)
}

/// Makes writes to `socket` give up after `patience`.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn limit_writes(socket: BorrowedFd<'_>, patience: Duration) -> io::Result<()> {
    Ok(socket::setsockopt(&socket, sockopt::SendTimeout, &time_val(patience))?)
}

fn time_val(duration: Duration) -> TimeVal {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    TimeVal::new(seconds, i64::from(duration.subsec_micros()))
}
