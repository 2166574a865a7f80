//! The order of conditions: a new one in each pass, so that a drift of the host's speed hits all
//! conditions alike instead of looking like a slope.

/// Shuffles. The same seed gives the same orders.
pub(crate) struct Shuffler {
    state: u64,
}

impl Shuffler {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Puts items into a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// A number below `limit`: the upper half of the product, whose bias no shuffle of a few
    /// hundred items shows.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(shuffler: &mut Shuffler) -> Vec<u32> {
        let mut items = (0..20).collect::<Vec<_>>();
        shuffler.shuffle(&mut items);
        items
    }

    #[test]
    fn the_same_seed_gives_the_same_orders_and_each_pass_another() {
        let (mut one, mut other) = (Shuffler::new(7), Shuffler::new(7));
        let first = shuffled(&mut one);
        assert_eq!(first, shuffled(&mut other));
        assert_ne!(first, shuffled(&mut one));
        let mut sorted = first;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..20));
    }

    #[test]
    fn each_item_comes_to_each_place_about_equally_often() {
        let mut shuffler = Shuffler::new(1);
        let mut counts = [0_u32; 20];
        for _ in 0..20_000 {
            counts[shuffled(&mut shuffler)[0] as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
