//! Round robin, smooth and weighted: each in its turn, the heavier ones more often, but not in a
//! row.
//!
//! With weights 5, 1, 1 a plain weighted round robin gives a a a a a b c: a burst to one backend.
//! The smooth one gives a a b a c a a. Each candidate has a credit. A turn adds its weight to
//! everyone's credit, the largest credit wins, and the winner pays the sum of all weights: so the
//! credits always sum up to 0. It is nginx's algorithm (ngx_http_upstream_round_robin.c, since
//! 1.3.1).

use std::sync::{Mutex, PoisonError};

use super::{Candidates, Client, Entry, Policy};

pub(super) const ENTRY: Entry = Entry {
    name: "round-robin",
    summary: "each in its turn; the heavier ones more often, spread out",
    make: |backends, _| Ok(Box::new(RoundRobin(Mutex::new(vec![0; backends.len()])))),
};

/// The credit of each backend. All workers take turns in one round: 30 requests to two backends are
/// 15 each, whichever workers they came to.
#[derive(Debug)]
struct RoundRobin(Mutex<Vec<i64>>);

impl Policy for RoundRobin {
    fn pick(&self, _: &Client, candidates: &Candidates<'_>) -> Option<usize> {
        let mut credits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        let mut best = None;
        for (place, weight) in candidates.weights().enumerate() {
            if weight == 0 {
                continue;
            }
            total += weight as i64;
            credits[place] += weight as i64;
            if best.is_none_or(|best| credits[place] > credits[best]) {
                best = Some(place);
            }
        }
        credits[best?] -= total;
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed::Bed;

    #[test]
    fn the_heavy_one_is_asked_often_but_not_in_a_row() {
        let bed = Bed::new("round-robin", &[5, 1, 1]);
        let order = (0..14).map(|_| ["a", "b", "c"][bed.place()]).collect::<String>();
        assert_eq!(order, "aabacaaaabacaa");
    }

    #[test]
    fn thirty_requests_are_fifteen_for_each_of_two() {
        assert_eq!(Bed::new("round-robin", &[1, 1]).counts(30), [15, 15]);
    }
}
