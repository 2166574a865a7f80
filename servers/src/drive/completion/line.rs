//! One socket of a session that a ring drives: what has been asked for it, and what came too early.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::poll::PollFlags;
use wire::Buffer;

use super::ring::{Expect, What};
use crate::connection::Interest;
use crate::session::{Calls, End, Session};
use crate::worker::Worker;

/// A set of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked(u8);

impl Asked {
    /// Whether this has been asked.
    pub(crate) const fn has(self, what: What) -> bool {
        self.0 & Self::bit(what) != 0
    }

    /// Whether nothing has been.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// It is asked.
    pub(crate) const fn add(&mut self, what: What) {
        self.0 |= Self::bit(what);
    }

    /// It is done.
    pub(crate) const fn remove(&mut self, what: What) {
        self.0 &= !Self::bit(what);
    }

    /// Each of them.
    pub(crate) fn each(self) -> impl Iterator<Item = What> {
        What::ALL.into_iter().filter(move |&what| self.has(what))
    }

    const fn bit(what: What) -> u8 {
        1 << what as u8
    }
}

/// What a receive has brought that its session does not want yet.
///
/// It is kept in a buffer of the worker's and not in one of the ring's: those are for all.
#[derive(Debug)]
pub(crate) enum Early {
    /// Octets.
    Octets(Buffer),
    /// The peer has closed its direction.
    End,
    /// The connection is broken.
    Broken(Errno),
}

/// What is known of one socket.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// What has been asked and is not done.
    pub(crate) asked: Asked,
    /// A write found no room.
    pub(crate) full: bool,
    /// A read would not wait. It is known only of sessions that read for themselves.
    pub(crate) ready: bool,
    /// Whether the next octets are likely to be there already.
    pub(crate) expect: Expect,
    /// What came too early.
    pub(crate) early: Option<Early>,
}

impl Line {
    /// What is to be asked so that a session gets what it wants.
    pub(crate) fn lacks(&self, wanted: Interest, calls: Calls) -> Asked {
        let mut lacks = Asked::default();
        let write = if self.full || calls == Calls::Itself { What::Room } else { What::Send };
        let read = match (wanted, calls) {
            (Interest::End, _) | (_, Calls::Itself) => What::Ready,
            _ => What::Receive,
        };
        if wanted.writes() && !self.asked.has(What::Room) {
            lacks.add(write);
        }
        if wanted.reads() && !self.asked.has(read) && self.early.is_none() {
            lacks.add(read);
        }
        lacks
    }

    /// Gives the session what came too early, as far as it wants it now.
    ///
    /// # Errors
    /// When the session is broken.
    pub(crate) fn catch_up(
        &mut self,
        end: End,
        session: &mut dyn Session,
        worker: &mut Worker<'_>,
    ) -> io::Result<()> {
        let result = match self.early.take() {
            None => return Ok(()),
            Some(Early::End) => Ok(0),
            Some(Early::Broken(errno)) => Err(errno.into()),
            Some(Early::Octets(mut octets)) => {
                let taken = deliver(octets.filled(), end, session, worker)?;
                octets.consume(taken);
                self.early =
                    crate::connection::keep(octets, &mut worker.buffers).map(Early::Octets);
                return Ok(());
            }
        };
        session.received(end, result, worker).map(drop)
    }
}

/// What a session waits for that reads for itself.
pub(crate) fn arrival(wanted: Interest) -> PollFlags {
    match wanted {
        Interest::End => PollFlags::from_bits_retain(libc::POLLRDHUP),
        _ => PollFlags::POLLIN,
    }
}

/// Whether the session wants to read from that end now.
pub(crate) fn reads(session: &dyn Session, end: End) -> bool {
    session.wants().of(end).is_some_and(Interest::reads)
}

/// Gives the session these octets for as long as it wants them; says how many it took.
///
/// # Errors
/// When the session is broken.
pub(crate) fn deliver(
    octets: &[u8],
    end: End,
    session: &mut dyn Session,
    worker: &mut Worker<'_>,
) -> io::Result<usize> {
    let mut taken = 0;
    while taken < octets.len() && reads(session, end) {
        let rest = &octets[taken..];
        let spare = session.spare(end, worker);
        debug_assert!(!spare.is_empty(), "a read of nothing looks like an end");
        let count = rest.len().min(spare.len());
        spare[..count].copy_from_slice(&rest[..count]);
        session.received(end, Ok(count), worker)?;
        taken += count;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_nothing_twice() {
        let mut line = Line::default();
        let lacks = line.lacks(Interest::Either, Calls::Anyone);
        assert!(lacks.each().eq([What::Receive, What::Send]));
        lacks.each().for_each(|what| line.asked.add(what));
        line.asked.remove(What::Send);
        assert!(line.lacks(Interest::Read, Calls::Anyone).is_empty());
        assert!(line.lacks(Interest::Write, Calls::Anyone).each().eq([What::Send]));
    }

    #[test]
    fn waits_for_room_where_there_is_none() {
        let mut line = Line { full: true, ..Line::default() };
        assert!(line.lacks(Interest::Write, Calls::Anyone).each().eq([What::Room]));
        line.asked.add(What::Room);
        assert!(line.lacks(Interest::Write, Calls::Anyone).is_empty());
    }

    #[test]
    fn asks_for_reports_where_the_session_makes_the_calls() {
        let lacks = Line::default().lacks(Interest::Either, Calls::Itself);
        assert!(lacks.each().eq([What::Room, What::Ready]));
    }

    #[test]
    fn asks_for_a_report_of_an_end_before_which_nothing_comes_here() {
        let lacks = Line::default().lacks(Interest::End, Calls::Anyone);
        assert!(lacks.each().eq([What::Ready]));
    }

    #[test]
    fn asks_for_no_more_while_something_waits_to_be_read() {
        let line = Line { early: Some(Early::End), ..Line::default() };
        assert!(line.lacks(Interest::Read, Calls::Anyone).is_empty());
    }
}
