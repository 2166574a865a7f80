//! Whether the wall clock was set while it was relied on.
//!
//! A time service that slews the clock slews `CLOCK_MONOTONIC` with it (clock_gettime(2)); only a
//! step moves one against the other. So their difference is a constant of the host since it was
//! booted, until somebody sets the clock.

use nix::time::{ClockId, clock_gettime};

/// A larger change of the difference is a step: no preemption between two readings makes it, since
/// the best of several is taken.
pub const STEP_NS: i64 = 1_000_000;

/// Readings of which the best is taken.
const READINGS: usize = 9;

/// Watches the difference of the two clocks.
#[derive(Clone, Copy, Debug)]
pub struct ClockWatch {
    offset_ns: i64,
    largest_ns: i64,
}

impl ClockWatch {
    /// Begins to watch.
    #[must_use]
    pub fn begin() -> Self {
        Self::from(offset_ns())
    }

    fn from(offset_ns: i64) -> Self {
        Self { offset_ns, largest_ns: 0 }
    }

    /// `CLOCK_REALTIME` − `CLOCK_MONOTONIC` at the beginning, in nanoseconds.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        self.offset_ns
    }

    /// Looks again, and gives the largest change since the beginning that was seen so far, in
    /// nanoseconds; negative if the clock was set back.
    pub fn look(&mut self) -> i64 {
        self.note(offset_ns())
    }

    fn note(&mut self, offset_ns: i64) -> i64 {
        let change = offset_ns - self.offset_ns;
        if change.unsigned_abs() > self.largest_ns.unsigned_abs() {
            self.largest_ns = change;
        }
        self.largest_ns
    }
}

/// The difference, from the reading that took the least time.
fn offset_ns() -> i64 {
    let readings = (0..READINGS).map(|_| {
        let before = nanos(ClockId::CLOCK_MONOTONIC);
        let wall = nanos(ClockId::CLOCK_REALTIME);
        let after = nanos(ClockId::CLOCK_MONOTONIC);
        (after - before, wall - (before + (after - before) / 2))
    });
    readings.min().map_or(0, |(_, offset)| offset)
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("every Linux has this clock");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_step_is_kept_with_its_sign() {
        let mut watch = ClockWatch::from(1_000);
        assert_eq!(watch.note(1_000), 0);
        assert_eq!(watch.note(-4_000), -5_000);
        assert_eq!(watch.note(3_000), -5_000);
        assert_eq!(watch.note(9_000), 8_000);
    }

    #[test]
    fn the_difference_of_the_clocks_is_that_of_the_host() {
        let (first, second) = (ClockWatch::begin().offset_ns(), ClockWatch::begin().offset_ns());
        // A host that was set a second ago, between the two lines, would be bad luck indeed.
        assert!((first - second).abs() < 1_000_000_000, "{first} and {second}");
        assert!(first > 0);
    }
}
