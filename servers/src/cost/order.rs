//! The order of conditions: a new one in each pass, so that a drift of the host's speed hits all
//! conditions alike instead of looking like a slope.

use crate::dice::Dice;

/// Shuffles. The same seed gives the same orders.
pub(crate) struct Shuffler(Dice);

impl Shuffler {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }

    /// Puts items into a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.0.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(shuffler: &Shuffler) -> Vec<u32> {
        let mut items = (0..20).collect::<Vec<_>>();
        shuffler.shuffle(&mut items);
        items
    }

    #[test]
    fn the_same_seed_gives_the_same_orders_and_each_pass_another() {
        let (one, other) = (Shuffler::new(7), Shuffler::new(7));
        let first = shuffled(&one);
        assert_eq!(first, shuffled(&other));
        assert_ne!(first, shuffled(&one));
        let mut sorted = first;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..20));
    }

    #[test]
    fn each_item_comes_to_each_place_about_equally_often() {
        let shuffler = Shuffler::new(1);
        let mut counts = [0_u32; 20];
        for _ in 0..20_000 {
            counts[shuffled(&shuffler)[0] as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
