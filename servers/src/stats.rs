//! What a server counts, for each worker by itself.
//!
//! A worker has counters that nobody else adds to, on cache lines that nobody else writes. So
//! adding needs no locked instruction, and counting costs the same in every model. Readers add the
//! workers up.

use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// A number that only grows. One thread adds to it, any thread may read it.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed) + count, Relaxed);
    }

    /// Adds one.
    pub fn count(&self) {
        self.add(1);
    }

    fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Writes down once what is counted: the counters of a worker, and what they were at one moment.
macro_rules! counted {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one worker.
        #[derive(Debug, Default)]
        #[repr(align(128))] // two lines: x86 prefetches lines in pairs
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Totals {
            /// Connections open now: those taken on less those over.
            pub open: u64,
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Reads all of them, in the order in which they are written down.
            #[must_use]
            pub fn totals(&self) -> Totals {
                let mut totals = Totals { open: 0, $($name: self.$name.value(),)* };
                totals.open = totals.accepted.saturating_sub(totals.closed);
                totals
            }
        }

        impl std::iter::Sum for Totals {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::default(), |sum, one| Self {
                    open: sum.open + one.open,
                    $($name: sum.$name + one.$name,)*
                })
            }
        }
    };
}

counted! {
    /// Connections over. Read before `accepted`: one that ends in between must not make the
    /// difference negative.
    closed,
    /// Connections taken on.
    accepted,
    /// Connections turned away, for whatever reason. The four that follow say for which.
    refused,
    /// Because no thread could be made (pthread_create(3)).
    refused_no_thread,
    /// Because vm.max_map_count leaves no room for the mappings of a thread.
    refused_no_mappings,
    /// Because the model does not hold descriptors of that number (FD_SETSIZE).
    refused_number,
    /// Because the kernel did not take the descriptor for what is waited for.
    refused_no_watch,
    /// Accepts that found no room for a descriptor: EMFILE, ENFILE, ENOBUFS, ENOMEM. The client
    /// waits.
    accepts_without_room,
    /// Loads of a relay by splice(2) that were copied, for there was no descriptor for a pipe.
    loads_without_pipe,
    /// Connections ended because a deadline passed.
    expired,
    /// Messages answered.
    answered,
    /// Octets read.
    octets_in,
    /// Octets written.
    octets_out,
    /// Waits for any of many sockets.
    waits,
    /// System calls that those were made of: one each, for who calls the kernel himself. With a
    /// ring they hand over accepts, reads and writes as well, which are no system calls then.
    wait_calls,
    /// Calls that change what is waited for: epoll_ctl. Where the kernel is handed all of that at
    /// each wait, there are none.
    controls,
    /// Calls that accept, or such requests to a ring that were answered.
    accepts,
    /// Calls that read, or such requests.
    reads,
    /// Calls that write, or such requests.
    writes,
    /// Of those three, the requests to a ring: no system calls of their own.
    ring_requests,
}

/// What a server has counted at its end.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    /// All workers' counters added up.
    #[serde(flatten)]
    totals: Totals,
    /// How many descriptor tables there were.
    tables: u16,
    /// How many workers there were at once, in all of them.
    workers: usize,
    /// The error of the last thread that could not be made (errno(3)); `null` when all could.
    spawn_errno: Option<i32>,
    /// How many connections the worker with the fewest of them took on.
    accepted_least: u64,
    /// How many connections the worker with the most of them took on.
    accepted_most: u64,
}

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Stats {
    rows: Mutex<Rows>,
    /// The error that the last thread which could not be made failed with (errno(3)); 0 for none.
    spawn_errno: AtomicI32,
}

/// One row for each worker there is, or was: the next worker goes on with what it finds.
#[derive(Debug, Default)]
struct Rows {
    all: Vec<Arc<Counters>>,
    free: Vec<Arc<Counters>>,
    /// Those of whoever accepts for others.
    acceptors: Vec<Arc<Counters>>,
}

/// The counters of one worker, for as long as there is that worker.
#[derive(Debug)]
pub struct Lease<'a> {
    stats: &'a Stats,
    counters: Arc<Counters>,
}

impl Stats {
    /// Counters for one more acceptor.
    #[must_use]
    pub fn acceptor(&self) -> Arc<Counters> {
        let counters = Arc::<Counters>::default();
        self.rows().acceptors.push(Arc::clone(&counters));
        counters
    }

    /// Notes why a thread could not be made.
    pub fn note_spawn(&self, error: &io::Error) {
        self.spawn_errno.store(error.raw_os_error().unwrap_or(0), Relaxed);
    }

    /// Counters for one more worker.
    #[must_use]
    pub fn lease(&self) -> Lease<'_> {
        let mut rows = self.rows();
        let counters = rows.free.pop().unwrap_or_else(|| {
            let counters = Arc::<Counters>::default();
            rows.all.push(Arc::clone(&counters));
            counters
        });
        Lease { stats: self, counters }
    }

    /// Each worker's, in the order in which they came.
    #[must_use]
    pub fn each(&self) -> Vec<Totals> {
        self.rows().all.iter().map(|counters| counters.totals()).collect()
    }

    /// All workers' added up, and the acceptors'.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let rows = self.rows();
        rows.all.iter().chain(&rows.acceptors).map(|counters| counters.totals()).sum()
    }

    /// The totals, and how evenly the connections were spread.
    #[must_use]
    pub fn report(&self, tables: u16) -> Report {
        let each = self.each();
        let accepted = each.iter().map(|worker| worker.accepted);
        Report {
            totals: self.totals(),
            tables,
            workers: each.len(),
            spawn_errno: Some(self.spawn_errno.load(Relaxed)).filter(|&errno| errno != 0),
            accepted_least: accepted.clone().min().unwrap_or(0),
            accepted_most: accepted.max().unwrap_or(0),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Lease<'_> {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.stats.rows().free.push(Arc::clone(&self.counters));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_the_workers_up() {
        let stats = Stats::default();
        let (one, other) = (stats.lease(), stats.lease());
        one.accepted.add(3);
        other.accepted.add(4);
        other.closed.count();
        stats.acceptor().refused.add(2);
        let totals = stats.totals();
        assert_eq!((totals.accepted, totals.closed, totals.open), (7, 1, 6));
        assert_eq!(totals.refused, 2);
        let report = stats.report(1);
        assert_eq!((report.workers, report.accepted_least, report.accepted_most), (2, 3, 4));
    }

    #[test]
    fn a_row_that_is_free_is_used_again_and_nothing_in_it_is_lost() {
        let stats = Stats::default();
        stats.lease().answered.add(3);
        stats.lease().answered.add(4);
        assert_eq!(stats.each().len(), 1);
        assert_eq!(stats.totals().answered, 7);
    }
}
