//! Passive health: a backend that fails requests in a row is left out for a while.
//!
//! Several failures in a row, with no answer between them, eject it. The next time, it stays out twice
//! as long, up to [`LONGEST`] times the first time; a backend that has been in service for that long
//! since starts anew. Each time is made longer or shorter by chance, or all proxies in front of a
//! backend that is overloaded would come back to it at the same moment.
//!
//! A failure speaks about the time when its request was sent off. Requests that were under way when the
//! backend was ejected may fail after it is back; they say nothing about it then.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::super::backend::Backend;
use super::super::lease::Outcome;
use super::super::moment::Moment;
use super::super::upstreams::Fleet;
use super::{Removal, Spare};

/// The longest ejection, in first ones.
const LONGEST: u32 = 32;
/// By how many hundredths an ejection may be longer, or shorter.
const JITTER: u64 = 20;

/// When a backend is left out, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Ejection {
    /// After so many failures in a row.
    pub fall: u32,
    /// The first time for so long.
    pub first: Duration,
}

/// What failed requests say of a backend.
#[derive(Debug, Default)]
pub struct Record {
    /// Failures since the last answer.
    failures_in_row: AtomicU32,
    /// Ejections, each longer than the one before.
    ejections: AtomicU32,
}

impl Record {
    /// The backend has answered.
    pub(in crate::proxy) fn clear(&self) {
        // In the common case nothing is written: the others keep their copy of the cache line.
        if self.failures_in_row.load(Relaxed) != 0 {
            self.failures_in_row.store(0, Relaxed);
        }
    }
}

impl Fleet {
    /// A request that was given to `backend` at the time `taken` has failed.
    pub(in crate::proxy) fn note_failure(
        &self,
        backend: &Backend,
        taken: Moment,
        outcome: Outcome,
        now: Moment,
    ) {
        let record = &backend.record;
        if taken < backend.since() {
            return; // It speaks about an earlier time.
        }
        let in_row = record.failures_in_row.fetch_add(1, Relaxed) + 1;
        if in_row < self.settings.ejection.fall {
            return;
        }
        let spare = if outcome == Outcome::Refused { Spare::One } else { Spare::Half };
        let ejections = self.ejections_that_count(backend, now);
        let until = now.after(self.time_out(ejections));
        record.failures_in_row.store(0, Relaxed);
        if self.take_out(backend, until, spare, now) == Removal::Done {
            record.ejections.store(ejections + 1, Relaxed);
        }
    }

    /// How many ejections there have been, but for those too long ago.
    fn ejections_that_count(&self, backend: &Backend, now: Moment) -> u32 {
        let longest = self.settings.ejection.first.saturating_mul(LONGEST);
        if backend.since().after(longest) < now {
            return 0;
        }
        backend.record.ejections.load(Relaxed)
    }

    /// How long a backend stays out that has been out so often.
    fn time_out(&self, ejections: u32) -> Duration {
        let times = 1_u32.checked_shl(ejections).unwrap_or(LONGEST).min(LONGEST);
        let hundredths = 100 - JITTER + self.jitter.below(2 * JITTER + 1);
        self.settings.ejection.first.saturating_mul(times).saturating_mul(hundredths as u32) / 100
    }
}
