//! Which backends are fit to be asked.
//!
//! Two witnesses speak about a backend. Requests that failed are *passive* evidence: [`ejection`].
//! Probes are *active* evidence: [`pulse`] adds them up, a [`Prober`] makes them.
//!
//! No witness is taken at his word where that would leave too few in service, for when many seem
//! ill the fault is likely elsewhere: in the network, in the path that probes ask for, in this
//! proxy. How many must stay depends on how sure the witness can be, and that is what [`Spare`]
//! says. It is this proxy's panic threshold.
//!
//! | evidence                            | taken out for     | stay in service      |
//! |-------------------------------------|-------------------|----------------------|
//! | requests broken, garbled, timed out | a while           | half of the backends |
//! | requests without a connection       | a while           | one                  |
//! | probes                              | until probes rise | one                  |
//!
//! So the last one is never taken out, whatever is said of it. Probes that get no answer in time
//! may mean a backend, or all of them, under more load than they can bear: they still serve
//! somebody, and without them nobody would be served. If it really is dead, to ask it costs
//! nothing: its host refuses, and the client is told 503 as if nobody had been asked. One that does
//! not even refuse costs that client the time-out of a connection.
//!
//! A change of the set may all the same leave only such as are out. For the same reasons they are
//! asked then: as long as none is in service, [`Candidates`] shows all of them. They stay out by
//! name until their time has come or a probe finds one well; from then on that one is asked alone.
//!
//! [`Candidates`]: super::policy::Candidates

pub mod ejection;
mod probe;
mod prober;
pub mod pulse;

use std::time::Duration;

pub use prober::Prober;
use pulse::Thresholds;

use super::backend::{Backend, Health};
use super::moment::Moment;
use super::upstreams::Fleet;

/// How probes are made.
#[derive(Clone, Debug)]
pub struct Checks {
    /// What each backend has to do.
    pub question: Question,
    /// How often each is asked.
    pub interval: Duration,
    /// How long the whole of its answer may take.
    pub timeout: Duration,
    /// How many probes it takes.
    pub thresholds: Thresholds,
}

/// What a backend has to do to be taken for healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Answer a GET for this path with 2xx.
    Get(String),
    /// Accept a connection. The kernel does that for a process that hangs, too; but it is all that
    /// can be asked of a backend of which nothing is known but its address.
    Connect,
}

/// Who has to stay in service when a backend is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// At least one.
    One,
    /// At least half of all.
    Half,
}

impl Spare {
    const fn least(self, all: usize) -> usize {
        match self {
            Self::One => 1,
            Self::Half => all.div_ceil(2),
        }
    }
}

/// Whether a backend was taken out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is out.
    Done,
    /// It was out before.
    Before,
    /// Too few would have been left.
    Spared,
}

impl Fleet {
    /// Takes `backend` out of service until then, if enough others are in service `now`.
    pub(super) fn take_out(
        &self,
        backend: &Backend,
        until: Moment,
        spare: Spare,
        now: Moment,
    ) -> Removal {
        let _changing = self.changing();
        let set = self.set();
        let others = set.backends().iter().filter(|other| other.id != backend.id);
        let left = others.filter(|other| other.in_service(now)).count();
        let may_go = match backend.health(now) {
            Health::InService => true,
            // It may yet be found down for good. But it is not ejected a second time for failures
            // that another worker has seen as well.
            Health::Ejected => until == Moment::NEVER,
            Health::Down => false,
        };
        if !may_go {
            return Removal::Before;
        }
        if left < spare.least(set.backends().len()) {
            backend.count_spared();
            return Removal::Spared;
        }
        backend.serve_from(until);
        backend.count_removal();
        Removal::Done
    }
}
