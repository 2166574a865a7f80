//! The policies: who gets the next request. One a file, and the table of them all.
//!
//! A new policy is one file here and one line in [`POLICIES`]: the command line, the tests and the
//! benches take their policies from this table.

#[cfg(test)]
pub(super) mod bed;
mod bounded;
mod choice;
mod ip_hash;
mod least_connections;
mod load;
mod lot;
mod maglev;
mod random;
mod rendezvous;
mod ring;
mod round_robin;
mod succession;
#[cfg(test)]
mod tests;
mod two_choices;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::backend::{Backend, BackendSpec};
use super::lease::{Client, Tried};
use super::moment::Moment;

pub(super) use choice::Choice;
pub use load::Load;

/// One way of choosing.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name on the command line, in experiments and in reports.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Makes one.
    pub make: Make,
}

/// Makes a policy for these backends, its chances starting from this seed. Refused are more
/// backends than it has room for.
pub type Make = fn(&[BackendSpec], u64) -> Result<Box<dyn Policy>, Refused>;

/// Why a policy can't be made for a set of backends, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// A choice among backends. Workers choose at the same time.
pub trait Policy: Debug + Send + Sync {
    /// The place of the one chosen among the `candidates`, which are the backends it was made for.
    /// It must have a [weight](Candidates::weight). `None` only when none of them has.
    fn pick(&self, client: &Client, candidates: &Candidates<'_>) -> Option<usize>;
}

/// All policies, from the simplest on.
pub const POLICIES: &[Entry] = &[
    random::ENTRY,
    round_robin::ENTRY,
    least_connections::ENTRY,
    two_choices::ENTRY,
    ip_hash::ENTRY,
    ring::ENTRY,
    maglev::ENTRY,
    rendezvous::ENTRY,
    bounded::ENTRY,
];

/// The policy of that name.
#[must_use]
pub fn policy(name: &str) -> Option<&'static Entry> {
    POLICIES.iter().find(|entry| entry.name == name)
}

/// The policy of that name, for the command line.
///
/// # Errors
/// When there is none: with the names of those there are.
pub fn parse(name: &str) -> Result<&'static Entry, String> {
    policy(name).ok_or_else(|| {
        let names = POLICIES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
        format!("there is no such policy; the policies are {names}")
    })
}

/// A line for each policy, for the help of the command line.
#[must_use]
pub fn help() -> String {
    let width = POLICIES.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let lines = POLICIES.iter().map(|entry| format!("{:width$}  {}", entry.name, entry.summary));
    lines.collect::<Vec<_>>().join("\n")
}

/// The backends as a policy sees them at one moment, for one request.
///
/// Where none of them is in service, all are seen as if they were: see [`health`](super::health).
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    backends: &'a [Arc<Backend>],
    tried: &'a Tried,
    now: Moment,
    slow_start: Duration,
    /// Whether any of them is in service.
    any_serves: bool,
}

impl<'a> Candidates<'a> {
    /// The weight that a backend of weight 1 in full service has here: finer steps than 1 for those
    /// that are on their way to full service.
    pub const FULL: u64 = 256;

    pub(super) fn new(
        backends: &'a [Arc<Backend>],
        tried: &'a Tried,
        now: Moment,
        slow_start: Duration,
    ) -> Self {
        // Mostly the first one is, and no other is looked at.
        let any_serves = backends.iter().any(|backend| backend.in_service(now));
        Self { backends, tried, now, slow_start, any_serves }
    }

    /// How many there are, fit or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.backends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.backends.is_empty()
    }

    /// The share of the backend at `place`, in parts of [`FULL`](Self::FULL); 0 for one that must
    /// not be asked.
    #[must_use]
    pub fn weight(&self, place: usize) -> u64 {
        let (backend, since) = (&self.backends[place], self.since(place));
        if since > self.now || self.tried.excludes(backend.id) {
            return 0;
        }
        u64::from(backend.weight()) * self.ramp(since)
    }

    /// Since when the backend at `place` is in service, or seen as if it were.
    fn since(&self, place: usize) -> Moment {
        if self.any_serves { self.backends[place].since() } else { Moment::ALWAYS }
    }

    /// The weights of all, in order.
    pub fn weights(&self) -> impl Iterator<Item = u64> {
        (0..self.len()).map(|place| self.weight(place))
    }

    /// How many leases of the backend at `place` are out.
    #[must_use]
    pub fn open(&self, place: usize) -> u64 {
        self.backends[place].open()
    }

    /// What the backend at `place` has to do for its weight.
    #[must_use]
    pub fn load(&self, place: usize) -> Load {
        Load::new(self.open(place), self.weight(place))
    }

    /// A choice among those that come up in the order of succession of `key`.
    #[must_use]
    pub(super) const fn choice_for(self, key: u64) -> Choice<'a> {
        Choice::new(self, key)
    }

    /// How far one that serves since then has come: linearly from 1 up to [`FULL`](Self::FULL).
    fn ramp(&self, since: Moment) -> u64 {
        if since == Moment::ALWAYS || self.slow_start.is_zero() {
            return Self::FULL;
        }
        let slow_start = u64::try_from(self.slow_start.as_millis()).unwrap_or(u64::MAX).max(1);
        let age = self.now.millis_since(since).min(slow_start);
        (Self::FULL * age / slow_start).max(1)
    }
}
