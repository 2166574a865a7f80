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
