//! What all workers of a server share: whether to go on, what time it is, what has been counted.
//!
//! A server may be several copies of a model that share no descriptors (see [`crate::tables`]).
//! Each copy has a control of its own, with its own wakers; what is only memory is common to all of
//! them.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::drive::crowd::Crowd;
use crate::notice;
use crate::proxy::link::Links;
use crate::shortage::Appeal;
use crate::stats::{Counters, Stats};
use crate::waker::Waker;

/// The length of a tick: deadlines are kept to this grain.
pub const TICK: Duration = Duration::from_millis(100);

/// How long a session is left alone, at least, before it is asked to finish because the server is
/// to stop: what its client sends meanwhile is still answered, and the answer says that it is the
/// last.
const GRACE: Duration = TICK;

/// A moment, in ticks since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(u32);

impl Ticks {
    /// A moment that does not come.
    pub const NEVER: Self = Self(u32::MAX);

    /// The first tick that is at least `span` later.
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Whether a session that heard at this moment of the end is to be asked to finish now.
    #[must_use]
    pub fn grace_is_over(self, now: Self) -> bool {
        // A tick that has just begun does not count.
        self.until(now) > GRACE
    }

    /// How long it is from `self` until `later`; nothing when that has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        TICK * later.0.saturating_sub(self.0)
    }
}

/// A length of time in ticks: two more than it takes. One is for the tick that has already begun.
/// The other is for the clock: it is looked at ten times a second, but now a little before the next
/// tick and now a little after, so that what it says may be a tick behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(u32);

impl Span {
    /// In units of the kernel.
    #[must_use]
    pub fn duration(self) -> Duration {
        TICK * self.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        let ticks = duration.as_nanos().div_ceil(TICK.as_nanos()) + 2;
        Self(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}

/// How far a server has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Serving = 0,
    /// It takes no new connection and finishes what has been asked of it.
    Draining = 1,
    /// It closes what is still open.
    Closing = 2,
}

/// How long a peer may take for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first octet of a message's head to its last.
    pub head: Span,
    /// Between two pieces of a body.
    pub body: Span,
    /// Between two messages.
    pub idle: Span,
    /// Until it reads some of an answer that waits for it.
    pub write: Span,
    /// After the last answer, for what it is still sending.
    pub linger: Span,
    /// After a stop, for everything.
    pub drain: Span,
}

/// What all copies of a server share.
#[derive(Debug, Default)]
struct Common {
    phase: AtomicU8,
    complained: AtomicU32,
    threads: AtomicUsize,
}

/// What all workers of a server share, or those of one copy of it.
#[derive(Debug)]
pub struct Control {
    common: Arc<Common>,
    ticks: AtomicU32,
    unix_seconds: AtomicU64,
    started: Instant,
    wakers: Mutex<Vec<Arc<Waker>>>,
    reactors: AtomicUsize,
    /// The idle connections to backends of the models with a thread for each client: a thread that
    /// ends leaves its own to the others. Reactors keep theirs, for they are registered there.
    links: Mutex<Links>,
    /// For a descriptor, to whoever has one to spare.
    pub appeal: Appeal,
    /// How long peers may take.
    pub patience: Patience,
    /// The most octets that a connection holds in each direction.
    pub buffer_octets: usize,
    /// Who waits in a blocking read, for the models that do.
    pub crowd: Crowd,
    /// What has been counted.
    pub stats: Arc<Stats>,
    /// What whoever accepts for others has counted.
    pub acceptor: Arc<Counters>,
}

impl Control {
    /// The control of a server that begins to serve.
    #[must_use]
    pub fn new(patience: Patience, buffer_octets: usize) -> Self {
        let stats = Arc::<Stats>::default();
        let control = Self {
            common: Arc::default(),
            ticks: AtomicU32::new(0),
            unix_seconds: AtomicU64::new(0),
            started: Instant::now(),
            wakers: Mutex::default(),
            reactors: AtomicUsize::new(0),
            links: Mutex::default(),
            appeal: Appeal::default(),
            patience,
            buffer_octets,
            crowd: Crowd::default(),
            acceptor: stats.acceptor(),
            stats,
        };
        control.tick();
        control
    }

    /// The control of another copy of the same server.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self {
            common: Arc::clone(&self.common),
            stats: Arc::clone(&self.stats),
            acceptor: self.stats.acceptor(),
            started: self.started,
            ..Self::new(self.patience, self.buffer_octets)
        };
        copy.tick();
        copy
    }

    /// How far the server has got.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.common.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Closing,
        }
    }

    /// Goes on to `phase`, and tells every worker; those of other copies see it at their next tick.
    pub fn enter(&self, phase: Phase) {
        self.common.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.wake_all();
    }

    /// The time, as of the last tick: a load, no system call.
    #[must_use]
    pub fn now(&self) -> Ticks {
        Ticks(self.ticks.load(Ordering::Relaxed))
    }

    /// Seconds since 1970, as of the last tick.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.unix_seconds.load(Ordering::Relaxed)
    }

    /// Looks at the clocks, and wakes every worker so that it looks at its deadlines.
    pub fn tick(&self) {
        let ticks = self.started.elapsed().as_nanos() / TICK.as_nanos();
        self.ticks.store(u32::try_from(ticks).unwrap_or(u32::MAX - 1), Ordering::Relaxed);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.unix_seconds.store(unix.as_secs(), Ordering::Relaxed);
        self.crowd.usher(self.phase());
        self.go_through_links();
        self.appeal.end();
        self.wake_all();
    }

    /// A waker that is woken at each tick and at each change of phase.
    ///
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn waker(&self) -> io::Result<Arc<Waker>> {
        let waker = Arc::new(Waker::new()?);
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&waker));
        Ok(waker)
    }

    /// Notes that there is one more reactor; says whether it is the first.
    pub fn join_reactors(&self) -> bool {
        self.reactors.fetch_add(1, Ordering::AcqRel) == 0
    }

    /// Notes that there is one reactor less, and lets the others know.
    pub fn leave_reactors(&self) {
        self.reactors.fetch_sub(1, Ordering::AcqRel);
        self.wake_all();
    }

    /// How many threads serve one client each, in all copies: they are the process's.
    #[must_use]
    pub fn threads(&self) -> &AtomicUsize {
        &self.common.threads
    }

    /// How many reactors there are.
    #[must_use]
    pub fn reactors(&self) -> usize {
        self.reactors.load(Ordering::Acquire)
    }

    /// The idle connections to backends that threads share.
    pub fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the oldest idle connection that threads share; says whether there was one.
    pub fn give_up_link(&self) -> bool {
        let mut links = self.links();
        let given = links.give_up();
        links.close_retired();
        given
    }

    /// Whether there are more of those than the clients may need, with one client more.
    pub fn has_links_to_spare(&self) -> bool {
        self.links().idle() > self.crowd.len() + 1
    }

    /// Asks all workers of this table for a descriptor, until the next tick.
    pub fn appeal_for_room(&self) {
        if self.appeal.make() {
            self.wake_all();
        }
    }

    fn go_through_links(&self) {
        let mut links = self.links();
        links.go_through(self.now());
        links.close_retired();
    }

    /// Says on standard error that something is wrong with the host, at most once a second.
    pub fn complain(&self, what: &str, error: &io::Error) {
        let second = self.now().0 / 10 + 1;
        if self.common.complained.swap(second, Ordering::Relaxed) != second {
            notice::write(format_args!("{what}: {error}"));
        }
    }

    fn wake_all(&self) {
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        let start = Ticks(7);
        assert_eq!(start.after(Duration::from_millis(250).into()), Ticks(12));
        assert_eq!(start.until(Ticks(9)), Duration::from_millis(200));
        assert_eq!(start.until(Ticks(3)), Duration::ZERO);
    }

    #[test]
    fn a_deadline_past_the_end_of_time_does_not_wrap() {
        assert_eq!(Ticks(5).after(Duration::from_secs(u64::from(u32::MAX)).into()), Ticks::NEVER);
    }
}
