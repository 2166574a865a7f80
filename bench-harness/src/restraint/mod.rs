//! Limits that are set for a trial, and put back afterwards, whatever happens.
//!
//! Most of them hold for one process and end with it: resource limits, a user of its own, a PID
//! namespace. Some change the host: a sysctl, the folder of a cgroup. Whatever changes the host is
//! told to a [`warden`] first, a small process that undoes it when this one ends, in whatever way.

mod bonds;
mod cgroup;
mod change;
mod hold;
mod namespace;
mod parse;
mod sysctl;
pub mod warden;

use std::collections::BTreeMap;

pub use bonds::Bonds;
pub use cgroup::Events;
pub use hold::Hold;
pub use sysctl::Sysctl;

/// The limits of one server process. By default there is none but those of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restraint {
    /// RLIMIT_NOFILE, soft and hard: descriptors in a table (getrlimit(2)).
    pub nofile: Option<u64>,
    /// RLIMIT_NPROC: processes and threads of the user. Root is exempt from it, so that the server
    /// runs as a user that has no other process.
    pub nproc: Option<u64>,
    /// `pids.max` of a cgroup of its own: processes and threads in it.
    pub pids: Option<u64>,
    /// Octets that a cgroup of its own may hold.
    pub memory: Option<u64>,
    /// kernel.pid_max of a PID namespace of its own (since Linux 6.14).
    pub pid_max: Option<u64>,
    /// What is set for the whole host, while the trial lasts.
    pub host: BTreeMap<Sysctl, u64>,
    /// What becomes of the stacks for signal handlers.
    pub signal_stacks: SignalStacks,
}

/// Whether each thread has a stack for signal handlers beside its own.
///
/// The Rust library maps one, with a guard page, for each thread, so that a stack overflow is
/// reported. It does not where SIGSEGV and SIGBUS are ignored at start: a thread then takes half as
/// many mappings, and a stack overflow ends the process without words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignalStacks {
    /// As the library likes it.
    #[default]
    Kept,
    /// The process starts with both signals ignored.
    Avoided,
}

impl Restraint {
    /// Whether the host itself changes, so that a warden is needed.
    #[must_use]
    pub fn changes_host(&self) -> bool {
        self.pids.is_some() || self.memory.is_some() || !self.host.is_empty()
    }
}
