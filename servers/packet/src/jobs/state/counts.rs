//! What a balancer has done, so that each job is accounted for:
//! submitted = duplicates + rejected + waiting + in flight + done + lost.

use serde::{Deserialize, Serialize};

use super::{Decision, Reason};

/// What a balancer has done.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Jobs that clients asked for.
    pub submitted: u64,
    /// Jobs sent to a server, repetitions not counted.
    pub sent: u64,
    /// Jobs that had to wait.
    pub queued: u64,
    /// Jobs that found the queue full.
    pub rejected: u64,
    /// Jobs with the id of one that waits or is at a server.
    pub duplicates: u64,
    /// Jobs that a server said are done.
    pub done: u64,
    /// Jobs of servers that died or started anew.
    pub lost: u64,
    /// Jobs sent once more.
    pub repeated: u64,
    /// Servers that came, restarted ones included.
    pub registered: u64,
    /// Servers that found no place.
    pub no_place: u64,
    /// `Done` for a job that is not at that server.
    pub stray: u64,
    /// Messages that no balancer should get.
    pub nonsense: u64,
    /// Jobs that wait now.
    pub waiting: u64,
    /// Jobs at living servers now.
    pub in_flight: u64,
}

impl Counts {
    /// Whether each job is in exactly one place.
    #[must_use]
    pub fn add_up(&self) -> bool {
        let places =
            [self.duplicates, self.rejected, self.waiting, self.in_flight, self.done, self.lost];
        self.submitted == places.iter().sum::<u64>()
    }

    pub(super) fn note(&mut self, decision: &Decision) {
        match decision {
            Decision::Rejected => self.rejected += 1,
            Decision::Ignored(Reason::Duplicate) => self.duplicates += 1,
            Decision::Ignored(Reason::Stray) => self.stray += 1,
            Decision::Ignored(Reason::NoPlace) => self.no_place += 1,
            Decision::Ignored(Reason::Nonsense) => self.nonsense += 1,
            // Counted where they come from.
            Decision::Send { .. } | Decision::Queued => (),
            Decision::Registered | Decision::Alive | Decision::Freed => (),
        }
    }
}
