//! How many packets, and when.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

/// How many packets, and how fast.
#[derive(Clone, Debug, Args)]
pub struct Amount {
    /// So many packets, however long that takes [default: as many as the duration allows]
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub count: Option<u64>,
    /// For how long
    #[arg(long, value_name = "TIME", default_value = "1s",
          value_parser = humantime::parse_duration)]
    pub duration: Duration,
    /// Packets per second [default: flat out]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// The counter in the first payload
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub first: u32,
    /// How much higher each counter is than the one before: 2 leaves them even, or odd
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub step: u32,
}

/// Deals out packets: never more than are asked for, never sooner than the rate allows.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    end: Option<Duration>,
    left: u64,
    dealt: u64,
    rate: Option<u64>,
}

impl Pace {
    /// Starts the clock.
    #[must_use]
    pub fn of(amount: &Amount) -> Self {
        Self {
            start: Instant::now(),
            end: amount.count.is_none().then_some(amount.duration),
            left: amount.count.unwrap_or(u64::MAX),
            dealt: 0,
            rate: amount.rate,
        }
    }

    /// How many packets are to be sent now, at most so many at once; waits until they are due. None
    /// when it is over.
    pub fn next(&mut self, at_most: u32) -> Option<u32> {
        self.until_due();
        let over = self.end.is_some_and(|end| self.start.elapsed() >= end);
        let now = u32::try_from(self.left).unwrap_or(u32::MAX).min(at_most);
        if over || now == 0 {
            return None;
        }
        self.left -= u64::from(now);
        self.dealt += u64::from(now);
        Some(now)
    }

    /// How many packets it has dealt out.
    #[must_use]
    pub fn dealt(&self) -> u64 {
        self.dealt
    }

    /// Since it started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// By the schedule from the start, not from the last packet: what was late is made up for.
    fn until_due(&self) {
        let Some(rate) = self.rate else { return };
        let due = Duration::from_secs_f64(self.dealt as f64 / rate as f64);
        let due = self.end.map_or(due, |end| due.min(end));
        sleep(due.saturating_sub(self.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(count: Option<u64>, duration: Duration, rate: Option<u64>) -> Amount {
        Amount { count, duration, rate, first: 0, step: 1 }
    }

    #[test]
    fn a_count_is_dealt_out_exactly() {
        let mut pace = Pace::of(&amount(Some(150), Duration::ZERO, None));
        let dealt: Vec<_> = std::iter::from_fn(|| pace.next(64)).collect();
        assert_eq!((dealt, pace.dealt()), (vec![64, 64, 22], 150));
    }

    #[test]
    fn nothing_is_dealt_out_before_its_time_nor_after_the_end() {
        let mut pace = Pace::of(&amount(None, Duration::from_millis(50), Some(1_000)));
        while pace.next(5).is_some() {
            let allowed = pace.elapsed().as_secs_f64() * 1_000.0 + 5.0;
            assert!(pace.dealt() as f64 <= allowed, "{} after {:?}", pace.dealt(), pace.elapsed());
        }
        assert!(pace.elapsed() >= Duration::from_millis(50));
        assert!(pace.dealt() <= 55);
    }
}
