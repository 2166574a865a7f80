//! Bounded loads: ring hash, but nobody carries more than 1.25 times his share.
//!
//! A client whose backend is full goes on along the circle to the first that is not. So a crowd
//! behind one address can't overwhelm the backend that it falls to, and while there is no crowd,
//! each client stays with its own (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with
//! bounded loads", SODA 2018).
//!
//! A share is of the leases that are out, with this one, among the backends that may be asked. Two
//! workers that choose at the same moment may both take the last place of one.

use super::succession::Succession;
use super::{BackendSpec, Candidates, Client, Entry, Policy, Refused};

pub(super) const ENTRY: Entry = Entry {
    name: "bounded",
    summary: "as ring, but nobody gets more than 1.25 times his share of what is open",
    make: |backends, _| Ok(Box::new(Bounded::new(backends)?)),
};

/// The most that a backend carries, in hundredths of its share.
const BOUND: u128 = 125;

#[derive(Debug)]
struct Bounded(Succession);

impl Bounded {
    fn new(backends: &[BackendSpec]) -> Result<Self, Refused> {
        Succession::new("ketama", backends).map(Self)
    }
}

impl Policy for Bounded {
    fn pick(&self, client: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let total = Total::of(candidates);
        let has_room = |place| candidates.open(place) < total.room(candidates.weight(place));
        let chosen = self.0.first(client, candidates, has_room);
        // The loads may have changed between two looks, so that all seem full.
        chosen.or_else(|| self.0.pick(client, candidates))
    }
}

/// What all backends that may be asked carry together.
struct Total {
    open: u64,
    weight: u64,
}

impl Total {
    fn of(candidates: &Candidates<'_>) -> Self {
        let fit = (0..candidates.len()).filter(|&place| candidates.weight(place) > 0);
        fit.fold(Self { open: 0, weight: 0 }, |total, place| Self {
            open: total.open + candidates.open(place),
            weight: total.weight + candidates.weight(place),
        })
    }

    /// How much a backend of that weight may carry when there is one lease more.
    fn room(&self, weight: u64) -> u64 {
        let share = BOUND * u128::from(self.open + 1) * u128::from(weight);
        u64::try_from(share.div_ceil(100 * u128::from(self.weight.max(1)))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::Bed;
    use crate::proxy::lease::Tried;

    #[test]
    fn a_crowd_behind_one_address_never_takes_a_backend_beyond_its_bound() {
        let weights = [1, 2, 1, 4];
        let bed = Bed::new("bounded", &weights);
        let mut leases = Vec::new();
        for round in 0_u64..2_000 {
            let lease = bed.lease_for(7, &Tried::default()).unwrap();
            let place = bed.place_of(&lease);
            leases.push(lease);
            let bound = (125 * leases.len() as u64 * u64::from(weights[place])).div_ceil(100 * 8);
            let open = bed.backend(place).open();
            assert!(open <= bound, "{open} of {} with a bound of {bound}", leases.len());
            if round % 3 == 2 {
                leases.swap_remove(round as usize % leases.len());
            }
        }
    }

    #[test]
    fn without_a_crowd_everybody_goes_where_the_ring_says() {
        let (bounded, ring) = (Bed::new("bounded", &[1; 5]), Bed::new("ring", &[1; 5]));
        for client in 0..500 {
            assert_eq!(bounded.place_for(client), ring.place_for(client));
        }
    }
}
