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
    last_answer: AtomicU64,
}

impl Pulse {
    /// Publishes the requests answered and failed so far, and when the last answer came.
    pub(crate) fn publish(&self, answered: u64, failed: u64, last_answer: Moment) {
        self.answered.store(answered, Ordering::Relaxed);
        self.failed.store(failed, Ordering::Relaxed);
        self.last_answer.store(last_answer.as_nanos(), Ordering::Relaxed);
    }
}

/// Requests answered and failed so far, in all phases, over all threads.
pub(crate) fn so_far(pulses: &[Pulse]) -> (u64, u64) {
    pulses.iter().fold((0, 0), |(answered, failed), pulse| {
        let more = pulse.answered.load(Ordering::Relaxed);
        (answered + more, failed + pulse.failed.load(Ordering::Relaxed))
    })
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
        let pulses = [Pulse::default(), Pulse::default()];
        pulses[0].publish(3, 1, Moment::from_nanos(7));
        pulses[1].publish(4, 0, Moment::from_nanos(5));
        assert_eq!((so_far(&pulses), last_answer(&pulses).as_nanos()), ((7, 1), 7));
    }
}
