//! The open loop: what is due, and which connections are free.
//!
//! The schedule is pure, so the queue of requests that are due and not sent need not be stored: it
//! lies between two cursors over the same schedule. One counts what is due, the other what was
//! sent. However long an overload lasts, the queue costs the same memory, and each request in it
//! keeps the moment for which it was planned.

use std::collections::VecDeque;

use crate::clock::Moment;
use crate::schedule::Arrivals;

/// Sends to be made by one thread.
#[derive(Debug)]
pub(crate) struct Pacer {
    start: Moment,
    /// Nothing that is planned later is sent.
    pub(crate) end: Moment,
    unsent: Cursor,
    due: Cursor,
    /// Connections that may be free, the one that has been so for longest first. Those that have
    /// ended since are passed over when their turn comes.
    pub(crate) free: VecDeque<u32>,
    /// When a connection became free after there had been none.
    free_since: Moment,
    /// The most requests that waited at once.
    pub(crate) longest: u64,
}

/// A place in the schedule.
#[derive(Debug)]
struct Cursor {
    arrivals: Arrivals,
    next: Moment,
    passed: u64,
}

impl Cursor {
    fn new(mut arrivals: Arrivals, start: Moment) -> Self {
        let next = moment(start, arrivals.next());
        Self { arrivals, next, passed: 0 }
    }

    fn step(&mut self, start: Moment) {
        self.next = moment(start, self.arrivals.next());
        self.passed += 1;
    }
}

fn moment(start: Moment, offset: Option<u64>) -> Moment {
    offset.map_or(Moment::NEVER, |nanos| start.after_nanos(nanos))
}

impl Pacer {
    /// Follows `arrivals` from `start` to `end`.
    pub(crate) fn new(arrivals: Arrivals, start: Moment, end: Moment) -> Self {
        Self {
            start,
            end,
            unsent: Cursor::new(arrivals.clone(), start),
            due: Cursor::new(arrivals, start),
            free: VecDeque::new(),
            free_since: start,
            longest: 0,
        }
    }

    /// When the next request is to be sent; never, if there is none.
    pub(crate) fn next(&self) -> Moment {
        if self.unsent.next < self.end { self.unsent.next } else { Moment::NEVER }
    }

    /// When there is something to do: never while no connection is free.
    #[inline]
    pub(crate) fn due(&self) -> Moment {
        if self.free.is_empty() { Moment::NEVER } else { self.next() }
    }

    /// A connection can take a request.
    pub(crate) fn freed(&mut self, index: u32, now: Moment) {
        if self.free.is_empty() {
            self.free_since = now;
        }
        self.free.push_back(index);
    }

    /// The next request is being sent. Gives back when it could have been sent at the earliest:
    /// when it was due or, if that is later, when a connection became free.
    pub(crate) fn sent(&mut self) -> Moment {
        let earliest = self.unsent.next.max(self.free_since);
        self.unsent.step(self.start);
        earliest
    }

    /// Takes note of how many requests are waiting.
    pub(crate) fn look(&mut self, now: Moment) {
        while self.due.next <= now && self.due.next < self.end {
            self.due.step(self.start);
        }
        self.longest = self.longest.max(self.waiting());
    }

    /// Requests that were due at the last look and are not sent.
    pub(crate) fn waiting(&self) -> u64 {
        self.due.passed.saturating_sub(self.unsent.passed)
    }

    /// The next request will not be sent. Gives back when it was to be.
    pub(crate) fn give_up(&mut self) -> Option<Moment> {
        let planned = self.next();
        (planned != Moment::NEVER).then(|| {
            self.unsent.step(self.start);
            planned
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::{Lane, Pattern, Schedule};

    /// A request each millisecond from 1 s to 2 s.
    fn pacer() -> Pacer {
        let (lead, length) = (Duration::ZERO, Duration::from_secs(1));
        let schedule = Schedule { pattern: Pattern::Constant, rate: 1e3, seed: 1, lead, length };
        let arrivals = schedule.arrivals(Lane { index: 0, of: 1 });
        Pacer::new(arrivals, at(1000), at(2000))
    }

    fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn nothing_is_due_while_no_connection_is_free() {
        let mut pacer = pacer();
        assert_eq!((pacer.due(), pacer.next()), (Moment::NEVER, at(1000)));
        pacer.freed(7, at(1000));
        assert_eq!(pacer.due(), at(1000));
    }

    #[test]
    fn a_request_that_waited_for_a_connection_is_not_the_generators_fault() {
        let mut pacer = pacer();
        pacer.freed(7, at(900));
        assert_eq!(pacer.sent(), at(1000));
        pacer.free.clear();
        pacer.freed(7, at(1005));
        assert_eq!(pacer.sent(), at(1005), "planned for 1001");
    }

    #[test]
    fn the_queue_lies_between_two_cursors() {
        let mut pacer = pacer();
        pacer.look(at(1099));
        assert_eq!((pacer.waiting(), pacer.longest), (100, 100));
        for _ in 0..60 {
            pacer.sent();
        }
        assert_eq!((pacer.waiting(), pacer.longest), (40, 100));
        assert_eq!(pacer.next(), at(1060));
    }

    #[test]
    fn what_is_never_sent_is_counted() {
        let mut pacer = pacer();
        for _ in 0..400 {
            pacer.sent();
        }
        let given_up: Vec<_> = std::iter::from_fn(|| pacer.give_up()).collect();
        assert_eq!((given_up.len(), given_up[0]), (600, at(1400)));
        assert_eq!(pacer.next(), Moment::NEVER);
    }
}
