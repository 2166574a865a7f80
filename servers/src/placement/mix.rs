//! The hash of those methods that bring none of their own.
//!
//! A ring, a table of permutations, a lottery: all of them take a hash for granted whose values
//! look random, however regular the keys are. This one is the finaliser of SplitMix64 (Steele, Lea
//! and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with the constants of
//! Stafford's variant 13): two multiplications and three shifts, a bijection of 64 bits in which
//! every bit of the input flips every bit of the output in about half of all cases.
//!
//! It is no defence against somebody who picks keys to meet on one node: that takes a keyed hash.

/// What SplitMix64 steps by: an odd number next to 2⁶⁴ divided by the golden ratio.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that looks random, the same each time.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of two. The order matters.
#[must_use]
pub const fn mix_pair(first: u64, second: u64) -> u64 {
    mix(mix(first) ^ second)
}

/// One of a name: eight octets at a time, and its length, so that no two names look alike.
#[must_use]
pub fn mix_name(name: &str) -> u64 {
    name.as_bytes().chunks(8).fold(mix(name.len() as u64), |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix_pair(hash, u64::from_le_bytes(word))
    })
}

/// Makes a hash a number in 0..`count` without dividing: the high half of their product (Lemire,
/// "Fast random integer generation in an interval", 2019). `count` may not be 0.
#[must_use]
pub const fn below(hash: u64, count: usize) -> usize {
    ((hash as u128 * count as u128) >> 64) as usize
}

/// Makes a hash a number in the open interval from 0 to 1.
#[must_use]
pub fn unit(hash: u64) -> f64 {
    const STEPS: f64 = (1_u64 << 52) as f64;
    ((hash >> 12) as f64 + 0.5) / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The first three outputs of the generator with the seed 1234567.
        let outputs =
            [0, 1, 2].map(|step| mix(1_234_567_u64.wrapping_add(STEP.wrapping_mul(step))));
        assert_eq!(outputs, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn every_bit_of_a_key_flips_about_half_of_the_hash() {
        for bit in 0..64 {
            let flips: u32 =
                (0..1000).map(|key| (mix(key) ^ mix(key ^ (1 << bit))).count_ones()).sum();
            assert!((31_000..33_000).contains(&flips), "bit {bit}: {flips}");
        }
    }

    #[test]
    fn names_that_differ_in_zeros_only_differ() {
        assert_ne!(mix_name("a"), mix_name("a\0"));
        assert_ne!(mix_name("12345678"), mix_name("12345678\0"));
        assert_ne!(mix_name(""), mix_name("\0"));
    }

    #[test]
    fn ends_of_an_interval_are_in_it() {
        assert_eq!([0, u64::MAX].map(|hash| below(hash, 7)), [0, 6]);
        assert!([0, u64::MAX].map(unit).iter().all(|u| 0.0 < *u && *u < 1.0));
    }
}
