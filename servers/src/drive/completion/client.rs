//! A session that a ring drives, and what is known of its sockets.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::errno::Errno;

use super::line::{Line, reads};
use super::ring::What;
use crate::connection::{Flow, Interest};
use crate::control::Ticks;
use crate::drive::poller::Token;
use crate::session::{End, Ends, Session};
use crate::worker::Worker;

/// The most calls that a session makes itself in one turn, as in a reactor.
const CALLS_MAX: u32 = 16;

/// Whether a session has been asked to finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    No,
    /// It will be, when the grace that began at that moment is over.
    Soon(Ticks),
    /// It will be, once it is known what its client had sent by now.
    Due,
    /// It has been, and may be asked again.
    Said,
}

/// What a session does after it has been taken as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for what it wants.
    Waits,
    /// It is over.
    Ends,
}

/// A session and what is known of its client's socket.
pub(crate) struct Client {
    pub(crate) session: Box<dyn Session>,
    pub(crate) line: Line,
    /// The connection to a backend that it had when it was last looked at.
    pub(crate) link: Option<Token>,
    /// Sends that are not done: until they are, the session is left alone.
    pub(crate) sends: u8,
    /// What came of those that are, for as long as others are not.
    pub(crate) sent: Ends<Option<Result<u32, Errno>>>,
    pub(crate) farewell: Farewell,
}

/// A connection to a backend.
pub(crate) struct Tie {
    /// The session that uses it, or did last.
    pub(crate) to: Token,
    /// Its descriptor. It is open for as long as the slot is taken.
    pub(crate) socket: RawFd,
    pub(crate) line: Line,
}

impl Tie {
    pub(crate) fn socket(&self) -> BorrowedFd<'static> {
        // SAFETY: a link is closed after its slot has been emptied.
        unsafe { BorrowedFd::borrow_raw(self.socket) }
    }
}

impl Client {
    pub(crate) fn new(session: Box<dyn Session>) -> Self {
        let (line, farewell) = (Line::default(), Farewell::No);
        Self { session, line, link: None, sends: 0, sent: Ends::default(), farewell }
    }

    /// Whether the kernel reads from its output now.
    pub(crate) const fn is_sending(&self) -> bool {
        self.sends > 0
    }

    /// Takes the session as far as it goes with what is there.
    ///
    /// # Errors
    /// When it is broken.
    pub(crate) fn converse(
        &mut self,
        upstream: &mut Line,
        worker: &mut Worker<'_>,
    ) -> io::Result<Next> {
        let mut calls = CALLS_MAX;
        while !self.session.wants().is_over() {
            let moved = self.catch_up(upstream, worker)?
                || self.say_farewell(worker)?
                || self.call(upstream, &mut calls, worker)?;
            if !moved {
                return Ok(Next::Waits);
            }
        }
        Ok(Next::Ends)
    }

    /// Of its two sockets, those that are known: a connection to a backend that has just been made,
    /// or taken up, is not yet.
    fn known(&mut self) -> impl Iterator<Item = End> + use<> {
        let ticket = self.session.link().map(|link| link.ticket);
        let linked = ticket.is_some_and(|ticket| ticket.is_some() && ticket == self.link);
        End::BOTH.into_iter().take(if linked { 2 } else { 1 })
    }

    fn catch_up(&mut self, upstream: &mut Line, worker: &mut Worker<'_>) -> io::Result<bool> {
        for end in self.known() {
            let line = if end == End::Client { &mut self.line } else { &mut *upstream };
            if line.early.is_some() && reads(self.session.as_ref(), end) {
                line.catch_up(end, self.session.as_mut(), worker)?;
                let kept = line.early.is_some();
                self.note_kept(end, kept);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells the connection to a backend whether something that came from it is kept: a look at its
    /// socket does not find that.
    pub(crate) fn note_kept(&mut self, end: End, kept: bool) {
        if let (End::Upstream, Some(link)) = (end, self.session.link()) {
            link.kept_octets = kept;
        }
    }

    fn say_farewell(&mut self, worker: &mut Worker<'_>) -> io::Result<bool> {
        let due = self.farewell == Farewell::Due && !self.line.asked.has(What::Receive);
        if due {
            self.farewell = Farewell::Said;
            // A receive can be cancelled with octets before it: only a read knows that there are
            // none.
            if self.line.early.is_none() && reads(self.session.as_ref(), End::Client) {
                self.session.read(End::Client, worker)?;
            }
            self.session.close_soon(worker);
        }
        Ok(due)
    }

    /// Lets the session make a call that nobody can make for it: one that moves what is not in
    /// memory of ours. It does not wait; when there is any point in the next one, the ring reports.
    fn call(
        &mut self,
        upstream: &mut Line,
        calls: &mut u32,
        worker: &mut Worker<'_>,
    ) -> io::Result<bool> {
        for end in self.known() {
            let line = if end == End::Client { &mut self.line } else { &mut *upstream };
            let Some(interest) = due(self.session.as_ref(), end, line) else { continue };
            let flow = match interest {
                Interest::Write => self.session.write(end, worker)?,
                _ => self.session.read(end, worker)?,
            };
            *calls = calls.saturating_sub(1);
            // Who has had his share asks for a report, and goes on when the others have been
            // served.
            if flow == Flow::Dry || *calls == 0 {
                match interest {
                    Interest::Write => line.full = true,
                    _ => line.ready = false,
                }
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// What a session wants of that end now that only itself can do, and that does not wait.
fn due(session: &dyn Session, end: End, line: &Line) -> Option<Interest> {
    let wanted = (*session.wants().of(end))?;
    let waits = line.full || line.asked.has(What::Room);
    if wanted.writes() && !waits && session.output(end).is_empty() {
        return Some(Interest::Write);
    }
    (wanted.reads() && line.ready).then_some(Interest::Read)
}
