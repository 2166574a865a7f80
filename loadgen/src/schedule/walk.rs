//! Times with random gaps between them: each one is the sum of all gaps before it.
//!
//! The sum is kept as whole nanoseconds and a fraction below one. So it is as exact after a day as
//! after a second: each step rounds by about 10⁻¹⁶ of its gap, whatever the sum is.

use super::law::GapLaw;
use super::random::SplitMix64;

/// A random walk upwards.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    law: GapLaw,
    random: SplitMix64,
    steps: u64,
    whole_ns: u64,
    fraction_ns: f64,
}

impl Walk {
    pub(crate) fn new(law: GapLaw, seed: u64) -> Self {
        let random = SplitMix64::new(seed);
        Self { law, random, steps: 0, whole_ns: 0, fraction_ns: 0.0 }
    }

    /// The time with that index, counted from 0. It takes all the steps up to it, and none of them
    /// can be taken back: an index must not be below the one before.
    #[inline]
    pub(crate) fn at(&mut self, index: u64) -> u64 {
        while self.steps <= index {
            self.step();
        }
        self.whole_ns
    }

    #[inline]
    fn step(&mut self) {
        let gap = self.fraction_ns + self.law.exceeded_with(self.random.unit());
        let whole = gap as u64;
        self.whole_ns = self.whole_ns.saturating_add(whole);
        self.fraction_ns = gap - whole as f64;
        self.steps += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_not_lost() {
        // Each gap has a mean of a third of a nanosecond; cut off one by one, all would be lost.
        let mut walk = Walk::new(GapLaw::exponential(1.0 / 3.0), 5);
        let found = walk.at(2_999_999) as f64;
        assert!((found / 1e6 - 1.0).abs() < 0.003, "{found}");
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let mut walk = Walk::new(GapLaw::exponential(1e19), 5);
        assert_eq!(walk.at(100), u64::MAX);
    }
}
