//! Advice as limits that can be set for a while.
//!
//! Only what a sysctl sets is set. The rest of an advice belongs to the line that starts a server,
//! or to whoever runs this.

use super::advice::Advice;
use super::host::Limit;
use crate::restraint::{Restraint, Sysctl};

/// What is advised to be raised for the whole host.
#[must_use]
pub(super) fn restraint(advice: &Advice) -> Restraint {
    let host = advice.steps.iter().filter_map(|step| Some((sysctl(step.limit)?, step.to)));
    Restraint { host: host.collect(), ..Restraint::default() }
}

const fn sysctl(limit: Limit) -> Option<Sysctl> {
    match limit {
        Limit::MaxMapCount => Some(Sysctl::MaxMapCount),
        Limit::ThreadsMax => Some(Sysctl::ThreadsMax),
        Limit::PidMax => Some(Sysctl::PidMax),
        Limit::FileMax => Some(Sysctl::FileMax),
        _ => None,
    }
}
