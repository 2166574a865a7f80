//! Chances that workers share and no one waits for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::placement::mix::{STEP, mix};

/// A generator of random numbers: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014).
///
/// Its state is a counter, so that workers take their numbers by one addition each, and the same
/// seed gives the same numbers.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`, each as likely (to within `bound` of 2^64); 0 if that is 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let number = mix(self.0.fetch_add(STEP, Relaxed));
        ((u128::from(number) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_below_its_bound_and_any_of_those_below() {
        let dice = Dice::new(7);
        let mut seen = [0; 6];
        (0..6_000).for_each(|_| seen[dice.below(6) as usize] += 1);
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
        assert_eq!((dice.below(0), dice.below(1)), (0, 0));
    }

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first three outputs for the seed 1234567, as the authors' C code gives them; the high
        // half of each, which is what falls below 2^32.
        let dice = Dice::new(1_234_567);
        let outputs =
            [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([(); 3].map(|()| dice.below(1 << 32)), outputs.map(|output| output >> 32));
    }
}
