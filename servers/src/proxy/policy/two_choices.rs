//! The power of two choices: two by lot, and of these the less loaded one.
//!
//! It sees two loads only, and yet the longest queue grows with log log n where random choice gives
//! log n / log log n (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). And
//! where the loads seen are old, it does not send everyone to the one backend that looks idle, as least
//! connections does.
//!
//! The two are drawn in proportion to the weights; a load is open leases per weight. Of two equally
//! loaded ones the first is taken: so while all are idle, it is random choice.

use super::dice::Dice;
use super::random::draw;
use super::{Candidates, Client, Entry, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "two-choices",
    summary: "two by lot, and of these the one with fewer open for its weight",
    make: |_, seed| Ok(Box::new(TwoChoices(Dice::new(seed)))),
};

#[derive(Debug)]
struct TwoChoices(Dice);

impl Policy for TwoChoices {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let one = draw(&self.0, candidates, None)?;
        let other = draw(&self.0, candidates, Some(one));
        let lighter = |&other: &usize| candidates.load(other) < candidates.load(one);
        Some(other.filter(lighter).unwrap_or(one))
    }
}
