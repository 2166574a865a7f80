//! Passive health: a backend that fails requests in a row is left out for a while.
//!
//! Several failures in a row, with no answer between them, eject it. The next time, it stays out
//! twice as long, up to 32 times the first time; a backend that has been in service for
//! that long since starts anew. Each time is made longer or shorter by chance, or all proxies in
//! front of a backend that is overloaded would come back to it at the same moment.
//!
//! A failure speaks about the time when its request was sent off. Requests that were under way when
//! the backend was ejected may fail after it is back; they say nothing about it then.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::backend::Health;
    use crate::proxy::policy::bed::Bed;

    const FAILURES: [Outcome; 4] =
        [Outcome::Refused, Outcome::TimedOut, Outcome::Broken, Outcome::Garbled];

    /// Three failures of the backend at `place`, of requests taken and failed at the time of the
    /// bed.
    fn fail(bed: &Bed, place: usize, outcome: Outcome) {
        let (fleet, backend) = (bed.upstreams.fleet(), bed.backend(place));
        (0..3).for_each(|_| fleet.note_failure(&backend, bed.now, outcome, bed.now));
    }

    fn health(bed: &Bed) -> Vec<Health> {
        let set = bed.upstreams.snapshot();
        set.backends().iter().map(|backend| backend.health(bed.now)).collect()
    }

    fn in_service(bed: &Bed) -> usize {
        health(bed).iter().filter(|&&health| health == Health::InService).count()
    }

    /// How long the backend at `place` is out, in milliseconds.
    fn time_out(bed: &Bed, place: usize) -> u64 {
        bed.backend(place).since().millis_since(bed.now)
    }

    #[test]
    fn three_failures_in_a_row_eject_and_the_time_brings_it_back() {
        for outcome in FAILURES {
            let mut bed = Bed::new("round-robin", &[1, 1]);
            fail(&bed, 0, outcome);
            assert_eq!(health(&bed), [Health::Ejected, Health::InService]);
            assert_eq!(bed.counts(10), [0, 10]);
            bed.now = bed.now.after(Duration::from_millis(1_200));
            assert_eq!(health(&bed), [Health::InService; 2]);
            assert_eq!(bed.counts(10), [5, 5]);
        }
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let (fleet, backend) = (bed.upstreams.fleet(), bed.backend(0));
        for number in 0..20 {
            fleet.note_failure(&backend, bed.now, Outcome::Broken, bed.now);
            if number % 2 == 1 {
                backend.record.clear();
            }
        }
        assert_eq!(in_service(&bed), 2);
    }

    /// Whatever fails, and in whatever order: one stays at least, and half of them where the
    /// failures need not be the backends'.
    #[test]
    fn neither_the_last_one_nor_more_than_half_are_ejected_on_suspicion() {
        for count in 1..7 {
            for outcome in FAILURES {
                let bed = Bed::new("round-robin", &vec![1; count]);
                (0..3 * count).for_each(|step| fail(&bed, step % count, outcome));
                let refused = outcome == Outcome::Refused;
                let least = if refused { 1 } else { count.div_ceil(2) };
                assert_eq!(in_service(&bed), least, "{outcome:?} of {count}");
            }
        }
    }

    #[test]
    fn each_time_is_twice_as_long_as_the_last_up_to_a_bound_and_starts_anew_after_a_while() {
        let mut bed = Bed::new("round-robin", &[1, 1]);
        for times in [1, 2, 4, 8, 16, 32, 32, 32] {
            fail(&bed, 0, Outcome::Refused);
            let millis = time_out(&bed, 0);
            assert!((800 * times..=1_200 * times).contains(&millis), "{times}: {millis}");
            bed.now = bed.now.after(Duration::from_millis(millis + 1));
        }
        bed.now = bed.now.after(Duration::from_secs(33));
        fail(&bed, 0, Outcome::Refused);
        assert!(time_out(&bed, 0) <= 1_200);
    }

    #[test]
    fn one_that_is_back_may_fail_as_often_as_any() {
        let mut bed = Bed::new("round-robin", &[1, 1]);
        fail(&bed, 0, Outcome::Refused);
        bed.now = bed.now.after(Duration::from_secs(2));
        let (fleet, backend) = (bed.upstreams.fleet(), bed.backend(0));
        let fail_once = || fleet.note_failure(&backend, bed.now, Outcome::Refused, bed.now);
        (0..2).for_each(|_| fail_once());
        assert_eq!(health(&bed), [Health::InService; 2]);
        fail_once();
        assert_eq!(health(&bed), [Health::Ejected, Health::InService]);
    }

    #[test]
    fn backends_that_fail_together_do_not_come_back_together() {
        let bed = Bed::new("round-robin", &[1; 20]);
        (0..10).for_each(|place| fail(&bed, place, Outcome::Broken));
        let times = (0..10).map(|place| time_out(&bed, place));
        let different = times.collect::<std::collections::HashSet<_>>();
        assert!(different.len() > 5, "{different:?}");
    }

    #[test]
    fn what_fails_after_the_return_of_a_backend_and_was_asked_before_does_not_count() {
        let mut bed = Bed::new("round-robin", &[1, 1]);
        let before = bed.now;
        fail(&bed, 0, Outcome::TimedOut);
        bed.now = bed.now.after(Duration::from_secs(2));
        let (fleet, backend) = (bed.upstreams.fleet(), bed.backend(0));
        (0..9).for_each(|_| fleet.note_failure(&backend, before, Outcome::TimedOut, bed.now));
        assert_eq!(health(&bed), [Health::InService; 2]);
    }

    /// Each worker that has seen the last failure works out a time of its own, longer or shorter.
    #[test]
    fn failures_that_two_workers_have_seen_at_once_eject_once() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let (fleet, backend) = (bed.upstreams.fleet(), bed.backend(0));
        let eject = |millis| {
            let until = bed.now.after(Duration::from_millis(millis));
            fleet.take_out(&backend, until, Spare::One, bed.now)
        };
        assert_eq!((eject(900), eject(1_100)), (Removal::Done, Removal::Before));
        assert_eq!((time_out(&bed, 0), backend.removals()), (900, 1));
    }

    #[test]
    fn failures_do_not_bring_one_back_that_probes_found_down() {
        let bed = Bed::new("round-robin", &[1, 1]);
        bed.backend(0).serve_from(Moment::NEVER);
        fail(&bed, 0, Outcome::Refused);
        assert_eq!(health(&bed), [Health::Down, Health::InService]);
    }
}
