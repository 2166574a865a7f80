//! The choice of a policy that asks backends in the order in which they take over a client.

use super::Candidates;
use crate::placement::mix::mix;

/// Looks at backends one after the other, until one takes the client.
///
/// A backend on its way to full service can't take a share of each client. It takes a share of the
/// *clients*: those whose key, hashed for this backend, falls into it. The share only grows, so a
/// client moves to it once and stays; the others go on to the next in their order as if it were not
/// there.
#[derive(Debug)]
pub(in crate::proxy) struct Choice<'a> {
    candidates: Candidates<'a>,
    key: u64,
    /// Where it settled.
    settled: Option<usize>,
    /// The first that may be asked, for when none takes the client.
    first: Option<usize>,
}

impl<'a> Choice<'a> {
    pub(super) const fn new(candidates: Candidates<'a>, key: u64) -> Self {
        Self { candidates, key, settled: None, first: None }
    }

    /// Looks at the backend at `place`; says whether the client stays with it.
    pub(super) fn settles_with(&mut self, place: usize) -> bool {
        if self.candidates.weight(place) == 0 {
            return false;
        }
        self.first = self.first.or(Some(place));
        if self.takes(place) {
            self.settled = Some(place);
        }
        self.settled.is_some()
    }

    /// The backend chosen.
    pub(super) fn place(&self) -> Option<usize> {
        self.settled.or(self.first)
    }

    fn takes(&self, place: usize) -> bool {
        let share = self.candidates.ramp(self.candidates.since(place));
        let id = u64::from(self.candidates.backends[place].id.0);
        mix(self.key ^ mix(id)) % Candidates::FULL < share
    }
}
