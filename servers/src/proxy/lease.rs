//! The use of a backend for a while, and what came of it.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::backend::{Backend, BackendId};
use super::moment::Moment;
use crate::placement::mix::{mix, mix_pair};

/// Whoever asks, as far as a policy wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where it comes from.
    pub address: IpAddr,
    /// The id of its request, where requests have ids: see [`Routes`](super::site::Routes).
    pub id: Option<u64>,
}

impl Client {
    /// A number for its address, the same each time and in each process: of all 32 bits of an IPv4
    /// address, or all 128 of an IPv6 address. One of the first kind is the same in the clothes of
    /// the second (`::ffff:a.b.c.d`).
    #[must_use]
    pub fn key(&self) -> u64 {
        match self.address.to_canonical() {
            IpAddr::V4(address) => mix(u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                mix_pair((bits >> 64) as u64, bits as u64)
            }
        }
    }
}

/// The most backends that one request is tried on.
pub const TRIED_MAX: usize = 8;

/// The backends that a request, or a relay's client, has been tried on already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    ids: [BackendId; TRIED_MAX],
    count: usize,
}

impl Default for BackendId {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Tried {
    /// Notes one more.
    pub fn add(&mut self, id: BackendId) {
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = id;
            self.count += 1;
        }
    }

    /// Whether that one is not to be tried any more: it is among them, or they are [`TRIED_MAX`].
    /// So nobody is left to try then, and trying ends, however many backends there are.
    #[must_use]
    pub fn excludes(&self, id: BackendId) -> bool {
        self.count == TRIED_MAX || self.ids[..self.count].contains(&id)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// How a request to a backend ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a whole answer, whatever its status.
    Answered,
    /// There was no connection to be had.
    Refused,
    /// A deadline passed.
    TimedOut,
    /// The connection broke before the end of the answer.
    Broken,
    /// What came was no answer.
    Garbled,
}

impl Outcome {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::Refused, Self::TimedOut, Self::Broken, Self::Garbled];

    /// Its name, as programs read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Garbled => "garbled",
        }
    }
}

/// Which attempt of a request a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Again,
}

/// The use of a backend, until it is dropped: that gives its load back, once.
#[derive(Debug)]
pub struct Lease {
    backend: Arc<Backend>,
    /// When it was taken, or used for the next request.
    taken: Moment,
    attempt: Cell<Attempt>,
}

impl Lease {
    pub(super) fn new(backend: Arc<Backend>, taken: Moment, attempt: Attempt) -> Self {
        backend.take();
        Self { backend, taken, attempt: Cell::new(attempt) }
    }

    /// Whose it is.
    #[must_use]
    pub const fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Uses it for the next request of the same client, if the backend may still be asked `now`. If
    /// not (it has been replaced, or is out of service while others serve), the client needs
    /// another one.
    #[must_use]
    pub fn renew(mut self, now: Moment) -> Option<Self> {
        self.taken = now;
        (!self.backend.has_left() && self.may_be_asked(now)).then_some(self)
    }

    fn may_be_asked(&self, now: Moment) -> bool {
        let others_serve = || self.backend.fleet.upgrade().is_some_and(|fleet| fleet.serves(now));
        self.backend.in_service(now) || !others_serve()
    }

    /// Says how a request ended. A lease for a whole connection says so for each request; one that
    /// is dropped without a word (the client has gone) speaks neither for nor against the backend.
    ///
    /// Failures in a row take the backend out of service for a while: see [`ejection`].
    ///
    /// [`ejection`]: super::health::ejection
    pub fn report(&self, outcome: Outcome) {
        self.backend.count(outcome);
        if outcome == Outcome::Answered {
            self.settle();
            self.backend.record.clear();
        } else if let Some(fleet) = self.backend.fleet.upgrade() {
            fleet.note_failure(&self.backend, self.taken, outcome, Moment::now());
        }
    }

    /// What it was tried for is done: a request is answered, or a relay has its connection. If that
    /// was a second attempt, it is one no more: what the client asks next is a first one.
    pub(super) fn settle(&self) {
        if self.attempt.replace(Attempt::First) == Attempt::Again
            && let Some(fleet) = self.backend.fleet.upgrade()
        {
            fleet.retrying.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.give_back();
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::backend::Health;
    use crate::proxy::policy::bed::Bed;

    #[test]
    fn each_outcome_stands_at_the_place_of_its_number() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }

    #[test]
    fn those_tried_are_remembered() {
        let mut tried = Tried::default();
        assert!(tried.is_empty() && !tried.excludes(BackendId(0)));
        for id in 0..7 {
            tried.add(BackendId(id));
        }
        assert!((0..7).all(|id| tried.excludes(BackendId(id))));
        assert!(!tried.excludes(BackendId(7)));
    }

    #[test]
    fn after_the_eighth_nobody_is_tried() {
        let mut tried = Tried::default();
        (0..9).for_each(|id| tried.add(BackendId(id)));
        assert!((0..100).all(|id| tried.excludes(BackendId(id))));
    }

    /// A client that stays with its backend, after a second attempt.
    fn tried_again(bed: &Bed) -> Lease {
        let mut tried = Tried::default();
        tried.add(bed.backend(0).id);
        bed.lease_for(0, &tried).unwrap()
    }

    #[test]
    fn a_second_attempt_that_was_answered_is_none_any_more_however_long_the_client_stays() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let lease = tried_again(&bed);
        assert_eq!(bed.upstreams.retrying(), 1);
        lease.report(Outcome::Broken);
        assert_eq!(bed.upstreams.retrying(), 1, "it is still to be answered");
        (0..3).for_each(|_| lease.report(Outcome::Answered));
        assert_eq!(bed.upstreams.retrying(), 0);
        drop(lease);
        assert_eq!((bed.upstreams.retrying(), bed.upstreams.retries()), (0, 1), "counted once");
    }

    #[test]
    fn a_client_does_not_stay_with_a_backend_that_has_left_or_is_out_of_service() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let lease = bed.lease();
        let backend = Arc::clone(lease.backend());
        let lease = lease.renew(bed.now).unwrap();
        backend.serve_from(bed.now.after(std::time::Duration::from_secs(1)));
        assert!(lease.renew(bed.now).is_none() && backend.open() == 0, "it is ejected");
        let lease = Lease::new(Arc::clone(&backend), bed.now, Attempt::First);
        (0..2).for_each(|place| bed.backend(place).serve_from(Moment::NEVER));
        assert!(lease.renew(bed.now).is_some(), "the other one is no better");
        backend.serve_from(bed.now);
        let lease = bed.lease_for(0, &Tried::default()).unwrap();
        bed.upstreams.replace(vec!["127.0.0.1:9".parse().unwrap()]).unwrap();
        assert!(lease.renew(bed.now).is_none(), "it has left");
    }

    #[test]
    fn failures_that_are_not_in_a_row_do_not_eject_however_many_they_are() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let lease = bed.lease();
        for _ in 0..10 {
            (0..2).for_each(|_| lease.report(Outcome::Broken));
            lease.report(Outcome::Answered);
        }
        assert_eq!(lease.backend().removals(), 0);
        (0..3).for_each(|_| lease.report(Outcome::Broken));
        assert_eq!(lease.backend().removals(), 1);
    }

    #[test]
    fn failures_of_later_requests_speak_about_the_time_of_those() {
        let bed = Bed::new("round-robin", &[1, 1]);
        let backend = bed.backend(0);
        let lease = Lease::new(Arc::clone(&backend), Moment::ALWAYS, Attempt::First);
        backend.serve_from(bed.now); // It has been out meanwhile, and is back.
        let lease = lease.renew(bed.now).unwrap();
        (0..3).for_each(|_| lease.report(Outcome::Refused));
        assert_ne!(backend.health(Moment::now()), Health::InService);
    }
}
