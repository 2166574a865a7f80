//! Drawing lots in proportion to weights that change from draw to draw.

use super::{BackendSpec, Candidates};
use crate::dice::Dice;

/// So often a place is drawn before everybody's weight is looked at.
const ATTEMPTS: u32 = 8;

/// Lots among the backends of a set.
///
/// A place and a level are drawn, and the place is taken if its weight is above the level: a place
/// with half the weight of the heaviest is taken half as often. So a draw mostly looks at one
/// backend, and costs the same however many there are. Where most weights are small, or most
/// backends out, it adds the weights up instead.
#[derive(Debug)]
pub(super) struct Lot {
    dice: Dice,
    /// The weight of the heaviest in full service.
    most: u64,
}

impl Lot {
    pub(super) fn new(backends: &[BackendSpec], seed: u64) -> Self {
        let most = backends.iter().map(|backend| backend.weight).max().unwrap_or(1);
        Self { dice: Dice::new(seed), most: u64::from(most) * Candidates::FULL }
    }

    /// One of the candidates other than `without`, by lot. `None` when there is no such one.
    pub(super) fn draw(&self, among: &Candidates<'_>, without: Option<usize>) -> Option<usize> {
        let weight = |place| if Some(place) == without { 0 } else { among.weight(place) };
        for _ in 0..ATTEMPTS {
            let lot = self.dice.below(among.len() as u64 * self.most);
            let (place, level) = ((lot / self.most) as usize, lot % self.most);
            if place < among.len() && level < weight(place) {
                return Some(place);
            }
        }
        self.draw_from_all(among.len(), weight)
    }

    fn draw_from_all(&self, count: usize, weight: impl Fn(usize) -> u64) -> Option<usize> {
        let mut left = self.dice.below((0..count).map(&weight).sum());
        // A backend may fall between the two looks; then there may be nobody where the lot fell.
        let mut last = None;
        for place in 0..count {
            let weight = weight(place);
            if left < weight {
                return Some(place);
            }
            left -= weight;
            last = if weight > 0 { Some(place) } else { last };
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::{Bed, chi_square};
    use crate::proxy::moment::Moment;

    /// Nearly all draws fall to the light ones, which are nearly never taken at the first attempt.
    #[test]
    fn a_heavy_one_that_is_out_leaves_the_others_their_shares() {
        let mut weights = [256, 1, 2, 3, 4];
        let bed = Bed::new("random", &weights);
        bed.backend(0).serve_from(Moment::NEVER);
        let counts = bed.counts(4_000);
        weights[0] = 0;
        assert_eq!(counts[0], 0);
        // Above 16.27 once in 1,000 seeds.
        let statistic = chi_square(&counts[1..], &weights[1..]);
        assert!(statistic < 16.27, "{counts:?} gives {statistic:.2}");
    }
}
