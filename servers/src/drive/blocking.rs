//! Driving a session by calls that wait.
//!
//! The loop is what a beginner would write: read, work, write, read again. The only thing to add
//! are deadlines, and the kernel keeps those: SO_RCVTIMEO and SO_SNDTIMEO (socket(7)) make a read
//! or a write give up. The time-out for the next message is set once for a connection; only a
//! client that is slow in the middle of a message costs further calls.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{self, sockopt};
use nix::sys::time::TimeVal;

use crate::connection::{Interest, Wait};
use crate::control::{Phase, TICK, Ticks};
use crate::drive::poller::{Ready, flags, ready_for};
use crate::drive::reset::tell_if_reset;
use crate::session::{End, Ends, Session, Wants};
use crate::worker::Worker;

/// How long a look for several things waits at most.
#[expect(clippy::cast_possible_truncation, reason = "it is a tenth of a second")]
const TICK_MILLISECONDS: u16 = TICK.as_millis() as u16;

/// Drives `session` until it is over, and drops it.
pub fn run(mut session: Box<dyn Session>, worker: &mut Worker<'_>) {
    worker.counters.accepted.count();
    // Who looks before each call needs nobody to end its waits: an end that its client has not sent
    // would be passed on.
    let sits = !session.is_full_duplex();
    let taken = sits.then(|| worker.control.crowd.sit(session.socket(End::Client)));
    let mut driver = Driver { armed: None, stopping: None };
    while worker.control.phase() != Phase::Closing {
        let wants = session.wants();
        if wants.is_over() {
            break;
        }
        if let Some(taken) = &taken {
            taken.seat().note(session.wait());
        }
        if driver.step(session.as_mut(), wants, worker).is_err() {
            break;
        }
        worker.links.close_retired();
    }
    session.leave(worker);
    worker.links.close_retired();
    // The seat is left before the socket is closed, for its number may be another's right after.
    drop(taken);
    worker.counters.closed.count();
}

struct Driver {
    /// The read time-out, if it is one for the next message; else it must be set anew. It holds for
    /// the messages after that, but not for what is left of a wait that the kernel has given up a
    /// little before our clock does.
    armed: Option<Duration>,
    /// When it was first seen that the server is to stop, or the session was last asked to finish.
    stopping: Option<Ticks>,
}

impl Driver {
    fn step(
        &mut self,
        session: &mut dyn Session,
        wants: Wants,
        worker: &mut Worker<'_>,
    ) -> io::Result<()> {
        let only = wants.only().filter(|_| !session.is_full_duplex());
        match only {
            Some((end, Interest::Read)) => {
                self.arm(end, session, worker)?;
                session.read(end, worker)?;
                if end == End::Upstream && session.wants() == wants {
                    // While a backend is silent, nobody else sees that the client has gone.
                    tell_if_reset(session, worker)?;
                }
            }
            Some((end, _)) => {
                session.write(end, worker)?;
            }
            None => whichever_comes_first(session, wants, worker)?,
        }
        let now = worker.control.now();
        if now >= session.deadline(worker) {
            session.expire(worker);
        }
        if worker.control.phase() != Phase::Serving
            && self.stopping.get_or_insert(now).grace_is_over(now)
        {
            self.stopping = Some(now);
            session.close_soon(worker);
        }
        Ok(())
    }

    /// Limits how long the next read from a client may wait. On a link that has been done once and
    /// for all: see [`crate::proxy::link`].
    fn arm(&mut self, end: End, session: &dyn Session, worker: &Worker<'_>) -> io::Result<()> {
        let wait = session.wait();
        let patience = worker.control.now().until(session.deadline(worker));
        let holds = |armed: Duration| patience / 2 < armed && armed / 2 < patience;
        if end == End::Upstream || (wait == Wait::Idle && self.armed.is_some_and(holds)) {
            return Ok(());
        }
        self.armed = Some(patience).filter(|_| wait == Wait::Idle);
        limit_reads(session.socket(end), patience)
    }
}

/// Waits, for a tick at most, for several things at once, and lets the session have those that are
/// there. A call that waits can't do that: here a thread needs poll(2) as well.
fn whichever_comes_first(
    session: &mut dyn Session,
    wants: Wants,
    worker: &mut Worker<'_>,
) -> io::Result<()> {
    worker.counters.waits.count();
    worker.counters.wait_calls.count();
    let Some(mut ready) = look(session, wants)? else {
        return if wants.client.is_none() { tell_if_reset(session, worker) } else { Ok(()) };
    };
    // Each of them once: whether there is more, the next look will say.
    for end in End::BOTH {
        let wanted = *session.wants().of(end);
        match wanted.and_then(|wanted| ready.of(end).allows(wanted)) {
            Some(Interest::Write) => session.write(end, worker)?,
            Some(_) => session.read(end, worker)?,
            None => continue,
        };
    }
    Ok(())
}

/// What is there of what is wanted, once something is; `None` when a tick has passed before.
fn look(session: &dyn Session, mut wants: Wants) -> io::Result<Option<Ends<Ready>>> {
    let line = |end: End| {
        let interest = (*wants.of(end))?;
        Some((PollFd::new(session.socket(end), flags(interest)), end))
    };
    let (mut list, ends): (Vec<_>, Vec<_>) = End::BOTH.into_iter().filter_map(line).unzip();
    match poll(&mut list, TICK_MILLISECONDS) {
        Ok(0) | Err(Errno::EINTR) => return Ok(None),
        found => _ = found?,
    }
    let mut ready = Ends::<Ready>::default();
    for (line, &end) in list.iter().zip(&ends) {
        ready.of(end).note(ready_for(line.revents().unwrap_or(PollFlags::empty())));
    }
    Ok(Some(ready))
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

/// In units of the kernel, for which nothing at all means for ever.
fn time_val(duration: Duration) -> TimeVal {
    let duration = duration.max(Duration::from_micros(1));
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    TimeVal::new(seconds, i64::from(duration.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patience_of_next_to_nothing_is_not_for_ever() {
        for (span, micros) in [(0, 1), (999, 1), (1_000, 1), (2_000_000_000, 0)] {
            assert_eq!(time_val(Duration::from_nanos(span)).tv_usec(), micros, "{span} ns");
        }
    }
}
