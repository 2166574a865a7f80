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
//! | evidence                               | taken out for    | stays in service                |
//! |----------------------------------------|------------------|---------------------------------|
//! | requests broken, garbled, timed out    | a while          | half of the backends            |
//! | requests without a connection          | a while          | one                             |
//! | probes answered wrongly                | until probes rise| one                             |
//! | probes without an answer               | until probes rise| none: then a client is told 503 |

pub mod ejection;
mod probe;
mod prober;
pub mod pulse;

use std::time::Duration;

pub use prober::Prober;
use pulse::{Service, Thresholds};

use super::backend::Backend;
use super::moment::Moment;
use super::upstreams::Fleet;

/// How probes are made.
#[derive(Clone, Debug)]
pub struct Checks {
    /// What each backend is asked for. It answers with 2xx when it is healthy.
    pub path: String,
    /// How often each is asked.
    pub interval: Duration,
    /// How long the whole of its answer may take.
    pub timeout: Duration,
    /// How many probes it takes.
    pub thresholds: Thresholds,
}

/// Who has to stay in service when a backend is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Nobody.
    Nobody,
    /// At least one.
    One,
    /// At least half of all.
    Half,
}

impl Spare {
    const fn least(self, all: usize) -> usize {
        match self {
            Self::Nobody => 0,
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
    /// It was out before, or too few would have been left.
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
        // One that is ejected for a while may yet be found down for good; never the other way
        // round.
        if until <= backend.since() || left < spare.least(set.backends().len()) {
            return Removal::Spared;
        }
        backend.serve_from(until);
        backend.count_removal();
        Removal::Done
    }

    /// Whether anybody is in service.
    pub(super) fn service(&self, now: Moment) -> Service {
        let any = self.set().backends().iter().any(|backend| backend.in_service(now));
        if any { Service::Some } else { Service::None }
    }
}
