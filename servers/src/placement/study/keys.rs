//! The keys: numbers of six digits, as the ids of requests were in the system that the seed rings
//! come from.

use std::ops::RangeInclusive;

use crate::placement::mix::{below, mix_pair};

/// All ids.
pub const IDS: RangeInclusive<u64> = 100_000..=999_999;
/// How many there are.
pub const COUNT: usize = 900_000;

/// So many of them, each with the same probability, the same for the same seed.
#[must_use]
pub fn drawn(seed: u64, count: u32) -> Vec<u64> {
    (0..count.into()).map(|number| of_hash(mix_pair(seed, number))).collect()
}

/// The id of what has that hash: each is that of as many hashes, but for one more or less.
#[must_use]
pub const fn of_hash(hash: u64) -> u64 {
    *IDS.start() + below(hash, COUNT) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ids_and_spread_evenly_over_them() {
        assert_eq!(IDS.count(), COUNT);
        let keys = drawn(1, 100_000);
        assert!(keys.iter().all(|key| IDS.contains(key)));
        for tenth in 0..10 {
            let part = 100_000 + tenth * 90_000..190_000 + tenth * 90_000;
            let count = keys.iter().filter(|&key| part.contains(key)).count();
            assert!(count.abs_diff(10_000) < 500, "{count} in {part:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_keys_and_another_one_others() {
        assert_eq!(drawn(1, 100), drawn(1, 100));
        assert_eq!(drawn(1, 200)[..100], drawn(1, 100));
        assert_ne!(drawn(1, 100), drawn(2, 100));
    }
}
