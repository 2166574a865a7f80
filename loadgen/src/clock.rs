//! The one clock: `CLOCK_MONOTONIC` in whole nanoseconds.
//!
//! It never jumps and, on a host with a TSC, reading it needs no system call. A plain number makes
//! a stamp 8 octets, so that one fits in every connection slot.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A point in time: nanoseconds since an arbitrary start (that of the host, as a rule).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Later than any other.
    pub const NEVER: Self = Self(u64::MAX);

    /// Reads the clock.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
        Self(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
    }

    /// The moment that many nanoseconds after the start of the clock.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the clock.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Nanoseconds from `earlier` to this moment; 0 when it is not earlier.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment, that many nanoseconds later.
    #[must_use]
    pub const fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// This moment, that many nanoseconds earlier.
    #[must_use]
    pub const fn before_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }

    /// This moment, moved into the past.
    #[must_use]
    pub fn before(self, lead: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This moment, moved into the future.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// What the wall clock shows at that moment, as far as one can tell now: time since the Unix epoch.
#[must_use]
pub fn wall_clock_at(moment: Moment) -> Duration {
    let nanos = moment.as_nanos() as i64 + wall_clock_offset_ns();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// `CLOCK_REALTIME` minus `CLOCK_MONOTONIC` in nanoseconds.
#[must_use]
pub fn wall_clock_offset_ns() -> i64 {
    let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("every Linux has this clock");
    let wall = wall.tv_sec() * 1_000_000_000 + wall.tv_nsec();
    wall - Moment::now().as_nanos() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_run_backwards() {
        let first = Moment::now();
        assert!(Moment::now() >= first);
        assert!(first > Moment::default());
    }

    #[test]
    fn arithmetic_ends_at_the_bounds() {
        let (early, late) = (Moment::from_nanos(5), Moment::from_nanos(12));
        assert_eq!((late.nanos_since(early), early.nanos_since(late)), (7, 0));
        assert_eq!(Moment::NEVER.after(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(early.after(Duration::from_nanos(7)), late);
    }
}
