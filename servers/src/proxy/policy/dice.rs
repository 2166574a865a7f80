//! Chances that all workers share and no one waits for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The step of SplitMix64: an odd number near 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A generator of random numbers: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Its state is a counter, so that workers take their numbers by one addition each, and the same seed
/// gives the same numbers.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`, each as likely (to within `bound` of 2^64); 0 if that is 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let number = mix(self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP));
        ((u128::from(number) * u128::from(bound)) >> 64) as u64
    }
}

/// Mixes the bits of `number`: each of them depends on each of them.
pub(crate) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first three outputs for the seed 1234567, as the authors' C code gives them.
        let state = |step: u64| 1_234_567_u64.wrapping_add(STEP.wrapping_mul(step));
        let outputs = [1, 2, 3].map(|step| mix(state(step)));
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn a_number_is_below_its_bound_and_any_of_those_below() {
        let dice = Dice::new(7);
        let mut seen = [0; 6];
        (0..6_000).for_each(|_| seen[dice.below(6) as usize] += 1);
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
        assert_eq!((dice.below(0), dice.below(1)), (0, 0));
    }
}
