//! Least connections: whoever would have the least to do with this request on top.
//!
//! The load of a backend is its open leases and this one, per weight. It comes down again, as
//! leases end. Among equals it goes round robin: the search begins one place further each time.
//! With all of them idle, the heaviest backends are the least loaded, so a trickle of requests
//! stays with them.
//!
//! Two workers that choose at the same moment may both find the same backend idle.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Candidates, Client, Entry, Load, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "least-connections",
    summary: "whoever has the fewest open for its weight; equals in turn",
    make: |_, _| Ok(Box::new(LeastConnections(AtomicUsize::new(0)))),
};

/// Where the next search begins.
#[derive(Debug)]
struct LeastConnections(AtomicUsize);

impl Policy for LeastConnections {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let count = candidates.len();
        let start = self.0.fetch_add(1, Relaxed) % count.max(1);
        let mut best: Option<(usize, Load)> = None;
        for place in (start..count).chain(0..start) {
            let load = candidates.load(place).with_one_more();
            if load.may_be_asked() && best.is_none_or(|(_, best)| load < best) {
                best = Some((place, load));
            }
        }
        best.map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::Bed;

    #[test]
    fn two_slow_requests_keep_ten_others_away_until_they_end() {
        let bed = Bed::new("least-connections", &[1, 1]);
        let four = [(); 4].map(|()| bed.lease()).into_iter();
        let (slow, done) = four.partition::<Vec<_>, _>(|lease| bed.place_of(lease) == 0);
        drop(done);
        assert_eq!((bed.backend(0).open(), bed.backend(1).open()), (2, 0));
        assert_eq!(bed.counts(10), [0, 10]);
        drop(slow);
        assert_eq!(bed.counts(10), [5, 5], "its count has come down again");
    }

    #[test]
    fn equals_take_turns() {
        assert_eq!(Bed::new("least-connections", &[1, 1, 1]).counts(30), [10, 10, 10]);
    }

    #[test]
    fn a_backend_of_twice_the_weight_carries_twice_the_load() {
        let bed = Bed::new("least-connections", &[2, 1]);
        let leases = (0..30).map(|_| bed.lease()).collect::<Vec<_>>();
        assert_eq!((bed.backend(0).open(), bed.backend(1).open()), (20, 10));
        drop(leases);
    }
}
