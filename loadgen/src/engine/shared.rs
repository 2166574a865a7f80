//! What the threads of a run tell each other: one line of memory each, written once per wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;
use crate::plan::{Load, Plan, Stop};

/// When each phase begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    /// Measuring begins.
    pub(crate) open: Moment,
    /// Measuring ends; never, if the number of requests decides.
    pub(crate) close: Moment,
}

impl Timeline {
    /// The phases of `plan`, the first one beginning at `start`.
    pub(crate) fn new(plan: &Plan, start: Moment) -> Self {
        let open = start.after(plan.warm_up);
        let close = match plan.stop {
            Stop::After(length) => open.after(length),
            Stop::Each(_) => Moment::NEVER,
        };
        Self { open, close }
    }
}

/// What the threads of a run and its main thread can see of each other while it lasts.
#[derive(Debug)]
pub(crate) struct Signals {
    /// One for each thread.
    pub(crate) pulses: Box<[Pulse]>,
    /// When the run was interrupted; 0 while it is not.
    pub(crate) stop: &'static AtomicU64,
}

/// Signs of life of one thread. Alone on its cache line, so that writing it disturbs nobody.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Pulse {
    answered: AtomicU64,
    failed: AtomicU64,
    connected: AtomicU64,
    queue: AtomicU64,
    last_answer: AtomicU64,
}

/// What a pulse tells, apart from the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Requests answered so far, in all phases.
    pub(crate) answered: u64,
    /// Requests failed so far.
    pub(crate) failed: u64,
    /// Connections made so far.
    pub(crate) connected: u64,
    /// Requests that wait for a connection.
    pub(crate) queue: u64,
}

impl Vitals {
    /// What has changed since an `earlier` look.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            answered: self.answered.saturating_sub(earlier.answered),
            failed: self.failed.saturating_sub(earlier.failed),
            ..*self
        }
    }
}

impl Pulse {
    /// Publishes them, and when the last answer came.
    pub(crate) fn publish(&self, vitals: Vitals, last_answer: Moment) {
        self.answered.store(vitals.answered, Ordering::Relaxed);
        self.failed.store(vitals.failed, Ordering::Relaxed);
        self.connected.store(vitals.connected, Ordering::Relaxed);
        self.queue.store(vitals.queue, Ordering::Relaxed);
        self.last_answer.store(last_answer.as_nanos(), Ordering::Relaxed);
    }
}

impl Signals {
    /// The vitals of all threads together.
    pub(crate) fn sum(&self) -> Vitals {
        let mut sum = Vitals::default();
        for pulse in &self.pulses {
            sum.answered += pulse.answered.load(Ordering::Relaxed);
            sum.failed += pulse.failed.load(Ordering::Relaxed);
            sum.connected += pulse.connected.load(Ordering::Relaxed);
            sum.queue += pulse.queue.load(Ordering::Relaxed);
        }
        sum
    }

    /// When the run was interrupted, if it was.
    pub(super) fn stopped(&self) -> Option<Moment> {
        let nanos = self.stop.load(Ordering::Relaxed);
        (nanos > 0).then(|| Moment::from_nanos(nanos))
    }
}

/// When any connection of any thread last had an answer.
pub(crate) fn last_answer(pulses: &[Pulse]) -> Moment {
    let latest = pulses.iter().map(|pulse| pulse.last_answer.load(Ordering::Relaxed)).max();
    Moment::from_nanos(latest.unwrap_or(0))
}

/// Splits `count` as evenly as it goes; the first shares are the larger ones.
pub(crate) fn share(count: usize, shares: usize, which: usize) -> usize {
    count / shares + usize::from(which < count % shares)
}

/// How long a closed loop waits for the last answers. They are not in its numbers.
const COURTESY: Duration = Duration::from_secs(1);

/// How long outstanding requests are waited for after the measuring phase. In an open loop each of
/// them belongs to that phase by its planned time, so they get all the time that others had.
pub(crate) fn drain_time(plan: &Plan) -> Duration {
    match plan.load {
        Load::Closed(_) => plan.patience.answer.min(COURTESY),
        Load::Open(_) => plan.patience.answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_complete() {
        for (count, shares) in [(10, 3), (2, 4), (0, 2), (1024, 7)] {
            let all: Vec<_> = (0..shares).map(|which| share(count, shares, which)).collect();
            assert_eq!(all.iter().sum::<usize>(), count);
            assert!(all.iter().max().expect("shares") - all.iter().min().expect("shares") <= 1);
        }
    }

    #[test]
    fn the_latest_answer_of_any_thread_counts() {
        static STOP: AtomicU64 = AtomicU64::new(0);
        let pulses = Box::new([Pulse::default(), Pulse::default()]);
        let vitals = |answered, failed| Vitals { answered, failed, ..Vitals::default() };
        pulses[0].publish(vitals(3, 1), Moment::from_nanos(7));
        pulses[1].publish(vitals(4, 0), Moment::from_nanos(5));
        assert_eq!(last_answer(&*pulses).as_nanos(), 7);
        let signals = Signals { pulses, stop: &STOP };
        assert_eq!((signals.sum(), signals.stopped()), (vitals(7, 1), None));
    }
}
