//! The power of two choices: two by lot, and of these the less loaded one.
//!
//! It sees two loads only, and yet the longest queue grows with log log n where random choice gives
//! log n / log log n (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
//! And where the loads seen are old, it does not send everyone to the one backend that looks idle,
//! as least connections does.
//!
//! The two are drawn in proportion to the weights; a load is open leases per weight. Of two equally
//! loaded ones the first is taken: so while all are idle, it is random choice.

use super::lot::Lot;
use super::{Candidates, Client, Entry, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "two-choices",
    summary: "two by lot, and of these the one with fewer open for its weight",
    make: |backends, seed| Ok(Box::new(TwoChoices(Lot::new(backends, seed)))),
};

#[derive(Debug)]
struct TwoChoices(Lot);

impl Policy for TwoChoices {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let one = self.0.draw(candidates, None)?;
        let other = self.0.draw(candidates, Some(one));
        let lighter = |&other: &usize| candidates.load(other) < candidates.load(one);
        Some(other.filter(lighter).unwrap_or(one))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::Bed;
    use crate::proxy::lease::Tried;

    #[test]
    fn of_two_it_never_takes_the_more_loaded_one() {
        let bed = Bed::new("two-choices", &[1, 1]);
        let mut leases = Vec::new();
        for client in 0..1_000 {
            let open = [0, 1].map(|place| bed.backend(place).open());
            let lease = bed.lease_for(client, &Tried::default()).unwrap();
            let place = bed.place_of(&lease);
            assert!(open[place] <= open[1 - place], "{open:?}, and it took {place}");
            leases.push(lease);
            if client % 3 == 0 {
                leases.swap_remove(client as usize / 2 % leases.len());
            }
        }
    }

    #[test]
    fn of_many_it_never_takes_the_most_loaded_one_and_the_loads_stay_close() {
        let bed = Bed::new("two-choices", &[1; 10]);
        let leases = (0..1_000).map(|client| {
            let open = (0..10).map(|place| bed.backend(place).open()).collect::<Vec<_>>();
            let lease = bed.lease_for(client, &Tried::default()).unwrap();
            let most = open.iter().max().unwrap();
            let alone = open.iter().filter(|open| *open == most).count() == 1;
            assert!(!(alone && open[bed.place_of(&lease)] == *most), "{open:?}");
            lease
        });
        let leases = leases.collect::<Vec<_>>();
        let most = (0..10).map(|place| bed.backend(place).open()).max().unwrap();
        assert!(most <= 104, "the mean is 100: {most}");
        drop(leases);
    }
}
