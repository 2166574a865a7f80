//! Random: each request by lot, in proportion to the weights.
//!
//! It needs no memory and no agreement among workers, and is even in the long run only: of n
//! requests a backend's share is off by about the square root of n.

use super::dice::Dice;
use super::{Candidates, Client, Entry, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "random",
    summary: "by lot, in proportion to the weights",
    make: |_, seed| Ok(Box::new(Random(Dice::new(seed)))),
};

#[derive(Debug)]
struct Random(Dice);

impl Policy for Random {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        draw(&self.0, candidates, None)
    }
}

/// One of the candidates other than `without`, by lot.
pub(super) fn draw(dice: &Dice, among: &Candidates<'_>, without: Option<usize>) -> Option<usize> {
    let weight = |place| if Some(place) == without { 0 } else { among.weight(place) };
    let total = (0..among.len()).map(weight).sum();
    let mut left = dice.below(total);
    // A backend may fall between the two looks; then there may be nobody where the lot fell.
    let mut last = None;
    for place in 0..among.len() {
        let weight = weight(place);
        if left < weight {
            return Some(place);
        }
        left -= weight;
        last = if weight > 0 { Some(place) } else { last };
    }
    last
}
