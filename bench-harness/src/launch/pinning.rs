//! Which CPUs the server gets and which the load generator.
//!
//! Both on the same CPUs would make the server's rate depend on how much CPU the generator needs,
//! so each gets half of what there is.

use std::io;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The CPUs of each role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinning {
    /// Where the server runs.
    pub server: Vec<usize>,
    /// Where the load generator runs.
    pub client: Vec<usize>,
}

impl Pinning {
    /// The first half of these CPUs for the server and the rest for the load generator. One CPU
    /// alone is shared by both.
    #[must_use]
    pub fn halves(cpus: &[usize]) -> Self {
        match cpus {
            [_] | [] => Self { server: cpus.to_vec(), client: cpus.to_vec() },
            _ => {
                let (server, client) = cpus.split_at(cpus.len() / 2);
                Self { server: server.to_vec(), client: client.to_vec() }
            }
        }
    }

    /// The halves of the CPUs that this process may use.
    ///
    /// # Errors
    /// When the kernel does not say which they are.
    pub fn of_this_host() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("reading the CPU affinity")?;
        let cpus: Vec<_> =
            (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu) == Ok(true)).collect();
        Ok(Self::halves(&cpus))
    }

    /// Whether the two roles are kept apart.
    #[must_use]
    pub fn apart(&self) -> bool {
        self.server.iter().all(|cpu| !self.client.contains(cpu))
    }
}

/// The set of these CPUs, made before a fork, since making it may fail.
pub(super) fn set(cpus: &[usize]) -> io::Result<CpuSet> {
    let mut set = CpuSet::new();
    cpus.iter().try_for_each(|cpu| set.set(*cpu))?;
    Ok(set)
}

/// Pins the calling thread, and with it every process that it becomes.
pub(super) fn pin(set: &CpuSet) -> io::Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_share_no_cpu_when_there_are_two() {
        for count in 2..9 {
            let pinning = Pinning::halves(&(0..count).collect::<Vec<_>>());
            assert!(pinning.apart());
            assert_eq!(pinning.server.len() + pinning.client.len(), count);
            assert!(!pinning.server.is_empty() && !pinning.client.is_empty());
        }
    }

    #[test]
    fn one_cpu_is_shared_and_says_so() {
        assert!(!Pinning::halves(&[0]).apart());
    }
}
