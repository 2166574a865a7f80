//! SplitMix64: the seeded source of everything that is random in a schedule.
//!
//! One addition and one mixing step a number, 8 octets of state, and the same numbers on every
//! machine. It passes BigCrush (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
//! Generators, OOPSLA 2014).

/// 2⁻⁵³: the distance between two neighbouring numbers of [`SplitMix64::unit`].
const GRAIN: f64 = 1.0 / (1_u64 << 53) as f64;

/// The generator.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number of 64 bits, all equally likely.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number above 0 and at most 1, so that it has a logarithm.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 * GRAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_numbers_of_the_published_generator() {
        let mut random = SplitMix64::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([random.bits(), random.bits()], expected);
    }

    #[test]
    fn units_have_a_logarithm_and_the_mean_of_the_uniform_law() {
        let mut random = SplitMix64::new(7);
        let units: Vec<_> = (0..100_000).map(|_| random.unit()).collect();
        assert!(units.iter().all(|unit| *unit > 0.0 && *unit <= 1.0));
        let mean = units.iter().sum::<f64>() / 100_000.0;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }
}
