//! A clock that costs next to nothing to look at.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A point of the monotonic clock, in milliseconds.
///
/// It is read from the coarse clock, which is as old as the last tick of the kernel (at most 10
/// ms): for health that is plenty, and it costs a request a few nanoseconds (clock_gettime(2),
/// `CLOCK_MONOTONIC_COARSE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Before all others.
    pub const ALWAYS: Self = Self(0);
    /// After all others.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time.
    #[must_use]
    pub fn now() -> Self {
        // The clock is there on every Linux since 2.6.32; without it, time would stand still.
        clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)
            .map_or(Self(1), |time| Self(1).after(Duration::from(time)))
    }

    /// So much later, but before [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(span).min(Self::NEVER.0 - 1))
    }

    /// Milliseconds since `earlier`; 0 if that is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_reaches_the_ends() {
        let now = Moment::now();
        assert!(Moment::ALWAYS < now && now < Moment::NEVER);
        assert!(now.after(Duration::MAX) < Moment::NEVER);
        assert_eq!(now.after(Duration::from_secs(2)).millis_since(now), 2_000);
        assert_eq!(now.millis_since(Moment::NEVER), 0);
    }
}
