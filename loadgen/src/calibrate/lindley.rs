//! What a ruler answers to one schedule, worked out request by request.
//!
//! A request waits for as long as the one before it, less the gap between them, plus that one's
//! service (Lindley 1952). There is no chance left in that: it is the exact answer to this very
//! schedule, where a closed form is the answer to all schedules on average.

use super::discipline::{Departures, Discipline, nanos};
use crate::schedule::{Lane, Schedule};

/// Response times of the measuring phase, in nanoseconds and in order of length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample(Vec<u64>);

/// The requests of a schedule without end: when each comes, and its response time, in nanoseconds.
/// They begin with the load, so the queue has a past when measuring begins.
pub(crate) fn responses(
    discipline: Discipline,
    schedule: &Schedule,
) -> impl Iterator<Item = (u64, u64)> {
    let mut departures = Departures::new(discipline);
    let arrivals = schedule.arrivals(Lane { index: 0, of: 1 });
    arrivals.map(move |arrival| (arrival, departures.next(arrival) - arrival))
}

impl Sample {
    /// The response times of those requests that come in the measuring phase.
    pub(crate) fn of(discipline: Discipline, schedule: &Schedule) -> Self {
        let open = nanos(schedule.lead);
        let close = nanos(schedule.lead + schedule.length);
        let until = responses(discipline, schedule).take_while(|&(arrival, _)| arrival < close);
        let counted = until.filter(|&(arrival, _)| arrival >= open);
        let mut times: Vec<_> = counted.map(|(_, response)| response).collect();
        times.sort_unstable();
        Self(times)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest that at least this part of all doesn't exceed; 0 if there is none.
    pub(crate) fn quantile(&self, quantile: f64) -> u64 {
        let rank = rank(quantile, self.len());
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// The arithmetic mean; 0 if there is none.
    pub(crate) fn mean(&self) -> f64 {
        let sum: u64 = self.0.iter().sum();
        sum as f64 / self.len().max(1) as f64
    }
}

/// Which of `count` in order of length is that quantile, counted from 1.
pub(crate) fn rank(quantile: f64, count: usize) -> usize {
    (quantile * count as f64).ceil() as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Pattern;

    fn schedule(rate: f64, lead_ms: u64, length_ms: u64) -> Schedule {
        Schedule {
            pattern: Pattern::Constant,
            rate,
            seed: 1,
            lead: Duration::from_millis(lead_ms),
            length: Duration::from_millis(length_ms),
        }
    }

    fn sample(discipline: &str, schedule: &Schedule) -> Sample {
        Sample::of(discipline.parse().expect("a discipline"), schedule)
    }

    #[test]
    fn a_queue_that_is_not_used_up_answers_in_its_service_time() {
        let sample = sample("queue:5ms", &schedule(100.0, 1000, 2000));
        assert_eq!(
            (sample.len(), sample.quantile(0.01), sample.quantile(1.0)),
            (200, 5_000_000, 5_000_000)
        );
    }

    #[test]
    fn a_queue_that_is_used_up_grows_from_the_start_of_the_load() {
        // 10 ms between requests of 15 ms each: the n-th waits for 5 n ms.
        let sample = sample("queue:15ms", &schedule(100.0, 50, 40));
        assert_eq!(sample.0, [40, 45, 50, 55].map(|ms| ms * 1_000_000));
        assert_eq!((sample.quantile(0.5), sample.mean()), (45_000_000, 47_500_000.0));
    }

    #[test]
    fn a_second_of_standstill_raises_the_mean_to_113_milliseconds() {
        let sample = sample("frozen:1ms:1999ms:1s:5s", &schedule(100.0, 0, 5000));
        assert_eq!(sample.len(), 500);
        // The first request of the standstill has 999 ms of it and its own service before it, each
        // further one 9 ms less; the 112th finds the server idle. 389 have their service alone.
        let queued: f64 = (0..111).map(|n| 1000.0 - 9.0 * f64::from(n)).sum();
        let mean = (queued + 389.0) / 500.0;
        assert!((sample.mean() / 1e6 - mean).abs() < 1e-6, "{} {mean}", sample.mean());
        assert!((sample.mean() / 1e6 - 112.9).abs() < 0.3);
        assert_eq!(sample.quantile(0.9), 550_000_000);
        assert_eq!(sample.quantile(0.8), 100_000_000);
        assert!(sample.quantile(0.802) > 100_000_000);
    }

    #[test]
    fn nothing_measured_is_nothing() {
        let sample = sample("fixed:1ms", &schedule(1.0, 100, 100));
        assert_eq!((sample.len(), sample.quantile(0.5), sample.mean()), (0, 0, 0.0));
    }
}
