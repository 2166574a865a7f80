//! Which CPUs the server gets and which the load generator.
//!
//! Both on the same CPUs would make the server's rate depend on how much CPU the generator needs,
//! so each gets half of what there is. The backends of a proxy are a third role. With two CPUs they
//! share one with the load generator: the proxy's has to be the proxy's alone.

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
    /// Where the backends of a proxy run; empty where there are none, or where they have to share
    /// with the load generator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<usize>,
}

impl Pinning {
    /// The first half of these CPUs for the server and the rest for the load generator. One CPU
    /// alone is shared by both.
    #[must_use]
    pub fn halves(cpus: &[usize]) -> Self {
        match cpus {
            [_] | [] => Self::of(cpus, cpus, &[]),
            _ => {
                let (server, client) = cpus.split_at(cpus.len() / 2);
                Self::of(server, client, &[])
            }
        }
    }

    /// A third each for server, load generator and backends, where there are three CPUs; else as in
    /// [`halves`](Self::halves).
    #[must_use]
    pub fn thirds(cpus: &[usize]) -> Self {
        if cpus.len() < 3 {
            return Self::halves(cpus);
        }
        let (server, others) = cpus.split_at(cpus.len() / 3);
        let (client, backends) = others.split_at(others.len() / 2);
        Self::of(server, client, backends)
    }

    fn of(server: &[usize], client: &[usize], backends: &[usize]) -> Self {
        let [server, client, backends] = [server, client, backends].map(<[_]>::to_vec);
        Self { server, client, backends }
    }

    /// Where the backends of a proxy run.
    #[must_use]
    pub fn behind(&self) -> &[usize] {
        if self.backends.is_empty() { &self.client } else { &self.backends }
    }

    /// The same CPUs, with a part of them for backends.
    #[must_use]
    pub fn with_backends(&self) -> Self {
        Self::thirds(&[&self.server[..], &self.client, &self.backends].concat())
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

/// CPUs in words, such as `0,1`.
#[must_use]
pub fn listed(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
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
    fn backends_have_cpus_of_their_own_where_there_are_three() {
        for count in 3..9 {
            let cpus: Vec<_> = (0..count).collect();
            let pinning = Pinning::halves(&cpus).with_backends();
            let parts = [&pinning.server, &pinning.client, &pinning.backends];
            assert!(parts.iter().all(|part| !part.is_empty()), "{pinning:?}");
            assert_eq!(parts.map(|part| &part[..]).concat(), cpus);
        }
        let two = Pinning::halves(&[0, 1]).with_backends();
        assert_eq!((two.behind(), &two.server[..], two.apart()), (&[1][..], &[0][..], true));
    }

    #[test]
    fn one_cpu_is_shared_and_says_so() {
        assert!(!Pinning::halves(&[0]).apart());
    }
}
