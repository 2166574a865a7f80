//! Random: each request by lot, in proportion to the weights.
//!
//! It needs no memory and no agreement among workers, and is even in the long run only: of n
//! requests a backend's share is off by about the square root of n.

use super::lot::Lot;
use super::{Candidates, Client, Entry, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "random",
    summary: "by lot, in proportion to the weights",
    make: |backends, seed| Ok(Box::new(Random(Lot::new(backends, seed)))),
};

#[derive(Debug)]
struct Random(Lot);

impl Policy for Random {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        self.0.draw(candidates, None)
    }
}
