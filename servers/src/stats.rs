//! What a server counts, for each worker by itself.
//!
//! A worker adds to counters that nobody else adds to, on a cache line that nobody else writes; so
//! counting costs the same few nanoseconds in every model. Readers add the workers up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// Adds one.
    pub fn count(&self) {
        self.add(1);
    }

    fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
#[repr(align(128))] // two lines: x86 prefetches lines in pairs
pub struct Counters {
    /// Connections taken on.
    pub accepted: Counter,
    /// Connections over.
    pub closed: Counter,
    /// Connections turned away: no thread, no descriptor, or one that the model cannot hold.
    pub refused: Counter,
    /// Connections ended because a deadline passed.
    pub expired: Counter,
    /// Messages answered.
    pub answered: Counter,
    /// Octets read.
    pub octets_in: Counter,
    /// Octets written.
    pub octets_out: Counter,
    /// Waits for any of many sockets.
    pub waits: Counter,
    /// System calls that those were made of: one each, for who calls the kernel himself.
    pub wait_calls: Counter,
    /// Calls that change what is waited for: epoll_ctl.
    pub controls: Counter,
    /// Calls that accept.
    pub accepts: Counter,
    /// Calls that read.
    pub reads: Counter,
    /// Calls that write.
    pub writes: Counter,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// See [`Counters::accepted`], and so on for the others.
    pub accepted: u64,
    #[allow(missing_docs)]
    pub closed: u64,
    /// Connections open now: those taken on less those over.
    pub open: u64,
    #[allow(missing_docs)]
    pub refused: u64,
    #[allow(missing_docs)]
    pub expired: u64,
    #[allow(missing_docs)]
    pub answered: u64,
    #[allow(missing_docs)]
    pub octets_in: u64,
    #[allow(missing_docs)]
    pub octets_out: u64,
    #[allow(missing_docs)]
    pub waits: u64,
    #[allow(missing_docs)]
    pub wait_calls: u64,
    #[allow(missing_docs)]
    pub controls: u64,
    #[allow(missing_docs)]
    pub accepts: u64,
    #[allow(missing_docs)]
    pub reads: u64,
    #[allow(missing_docs)]
    pub writes: u64,
}

impl Counters {
    /// Reads all of them.
    #[must_use]
    pub fn totals(&self) -> Totals {
        // `closed` first: a connection that ends in between must not make `open` negative.
        let closed = self.closed.value();
        let accepted = self.accepted.value();
        Totals {
            accepted,
            closed,
            open: accepted - closed,
            refused: self.refused.value(),
            expired: self.expired.value(),
            answered: self.answered.value(),
            octets_in: self.octets_in.value(),
            octets_out: self.octets_out.value(),
            waits: self.waits.value(),
            wait_calls: self.wait_calls.value(),
            controls: self.controls.value(),
            accepts: self.accepts.value(),
            reads: self.reads.value(),
            writes: self.writes.value(),
        }
    }
}

impl std::iter::Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            accepted: sum.accepted + one.accepted,
            closed: sum.closed + one.closed,
            open: sum.open + one.open,
            refused: sum.refused + one.refused,
            expired: sum.expired + one.expired,
            answered: sum.answered + one.answered,
            octets_in: sum.octets_in + one.octets_in,
            octets_out: sum.octets_out + one.octets_out,
            waits: sum.waits + one.waits,
            wait_calls: sum.wait_calls + one.wait_calls,
            controls: sum.controls + one.controls,
            accepts: sum.accepts + one.accepts,
            reads: sum.reads + one.reads,
            writes: sum.writes + one.writes,
        })
    }
}

/// The counters of all workers.
#[derive(Debug)]
pub struct Stats(Box<[Counters]>);

impl Stats {
    /// Counters for `workers` workers, at least one.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| Counters::default()).collect())
    }

    /// Those of one worker. Numbers past the end wrap round: a model with a thread for each
    /// connection spreads its threads over them.
    #[must_use]
    pub fn of(&self, worker: usize) -> &Counters {
        &self.0[worker % self.0.len()]
    }

    /// How many workers there are counters for.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.len()
    }

    /// Each worker's, in order.
    pub fn each(&self) -> impl Iterator<Item = Totals> + '_ {
        self.0.iter().map(Counters::totals)
    }

    /// All workers' added up.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.each().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_the_workers_up() {
        let stats = Stats::new(2);
        stats.of(0).accepted.add(3);
        stats.of(1).accepted.add(4);
        stats.of(3).closed.count();
        let totals = stats.totals();
        assert_eq!((totals.accepted, totals.closed, totals.open), (7, 1, 6));
    }
}
