//! How long a replica was well.

use std::time::{Duration, Instant};

/// The heartbeats of a process in service.
#[derive(Debug)]
pub(crate) struct Pulse {
    begun: Instant,
    /// When the last good one came.
    beat_at: Instant,
    /// So many have been missed since.
    pub(crate) misses: u32,
}

impl Pulse {
    /// Of a process that has just answered its first one.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { begun: now, beat_at: now, misses: 0 }
    }

    /// A good one has come.
    pub(crate) const fn beats(&mut self, now: Instant) {
        self.beat_at = now;
        self.misses = 0;
    }

    /// How long it was well, when its service ends `now`. Who has been silent since the last good
    /// heartbeat was not.
    pub(crate) fn well_until(&self, now: Instant) -> Duration {
        let until = if self.misses == 0 { now } else { self.beat_at };
        until.saturating_duration_since(self.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_silent_before_the_end_was_not_well_for_that_long() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut pulse = Pulse::new(begun);
        pulse.beats(begun + second);
        assert_eq!(pulse.well_until(begun + 9 * second), 9 * second, "one that has just ended");
        pulse.misses = 1;
        assert_eq!(pulse.well_until(begun + 9 * second), second);
        pulse.beats(begun + 4 * second);
        assert_eq!(pulse.well_until(begun + 9 * second), 9 * second);
    }
}
