//! Random numbers that depend on nothing but what they are for.

/// A number in 0…1 (1 excluded) for the `number`-th draw of a `stream`: SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014) over a mix of the three.
#[must_use]
pub fn unit(seed: u64, stream: u64, number: u64) -> f64 {
    let mixed = mix(mix(mix(seed).wrapping_add(stream)).wrapping_add(number));
    // The 53 high bits: as many as a double has.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// One step of SplitMix64 from `state`.
#[must_use]
pub fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_differ() {
        let draws: Vec<_> = (0..10_000).map(|number| unit(1, 2, number)).collect();
        let mean = draws.iter().sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let below = draws.iter().filter(|&&draw| draw < 0.1).count();
        assert!((900..1100).contains(&below), "{below}");
        assert_ne!(unit(1, 2, 3), unit(1, 3, 3));
        assert_ne!(unit(1, 2, 3), unit(2, 2, 3));
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // The first output of SplitMix64 with seed 0.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
    }
}
