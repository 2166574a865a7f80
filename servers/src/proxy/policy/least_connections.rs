//! Least connections: whoever would have the least to do with this request on top.
//!
//! The load of a backend is its open leases and this one, per weight. It comes down again, as leases
//! end. Among equals it goes round robin: the search begins one place further each time. With all of
//! them idle, the heaviest backends are the least loaded, so a trickle of requests stays with them.
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
