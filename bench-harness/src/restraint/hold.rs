//! A restraint that is in force.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::Resource;

use super::cgroup::{Cgroup, Controller};
use super::change::Change;
use super::warden::Warden;
use super::{Bonds, Restraint, SignalStacks, namespace};
use crate::fault::Unfit;

/// The highest user that a server is run as; by convention nobody's.
const NOBODY: u32 = 65_534;

/// More octets than there are, and as many as a cgroup can be given.
const AMPLE: u64 = 1 << 60;

/// A restraint in force. Dropping it puts the host back as it was.
#[derive(Debug)]
pub struct Hold {
    restraint: Restraint,
    warden: Option<Warden>,
    servers: u32,
}

impl Hold {
    /// Sets what holds for the whole host. `program` is this one, which is its own warden. Another
    /// run that has changed the host is waited for, for at most `patience`.
    ///
    /// # Errors
    /// [`Unfit`] when another run goes on for longer, or when the kernel is too old; otherwise what
    /// this process may not set. Whatever was changed until then is put back.
    pub fn take(restraint: &Restraint, program: &Path, patience: Duration) -> Result<Self> {
        if restraint.pid_max.is_some() {
            namespace::has_own_pid_max()?;
        }
        let warden = restraint.changes_host().then(|| Warden::post(program, patience));
        let mut warden = warden.transpose()?;
        for (sysctl, value) in &restraint.host {
            let warden = warden.as_mut().context("a change of the host without a warden")?;
            let old = sysctl.value()?.to_string();
            warden.note(Change::Value { path: sysctl.path(), old })?;
            sysctl.set(*value)?;
        }
        Ok(Self { restraint: restraint.clone(), warden, servers: 0 })
    }

    /// A hold that limits nothing, for processes whose memory is only counted.
    ///
    /// # Errors
    /// As [`Hold::take`].
    pub fn to_count(program: &Path, patience: Duration) -> Result<Self> {
        Self::take(&Restraint { memory: Some(AMPLE), ..Restraint::default() }, program, patience)
    }

    /// Bonds for one more process whose memory is only counted, where this process may.
    pub fn counting_bonds(&mut self, signal_stacks: SignalStacks) -> Bonds {
        self.servers += 1;
        let cgroups = self.make(None, Some(AMPLE)).unwrap_or_default();
        Bonds { signal_stacks, cgroups, ..Bonds::default() }
    }

    /// What is in force.
    #[must_use]
    pub fn restraint(&self) -> &Restraint {
        &self.restraint
    }

    /// Bonds for one more server, with cgroups that nobody has been in.
    ///
    /// # Errors
    /// When a cgroup can't be made.
    pub fn bonds(&mut self) -> Result<Bonds> {
        self.servers += 1;
        let Restraint { pids, memory, .. } = self.restraint;
        let cgroups = self.make(pids, memory)?;
        let Restraint { nofile, nproc, pid_max, signal_stacks, .. } = &self.restraint;
        let limit = |resource, limit: &Option<u64>| limit.map(|limit| (resource, limit));
        let limits = [limit(Resource::RLIMIT_NOFILE, nofile), limit(Resource::RLIMIT_NPROC, nproc)];
        Ok(Bonds {
            limits: limits.into_iter().flatten().collect(),
            user: nproc.map(|_| unused_user()).transpose()?,
            pid_max: pid_max.map(|pid_max| pid_max.to_string()),
            signal_stacks: *signal_stacks,
            cgroups,
            network: None,
        })
    }

    /// The same for a server that is only looked at: nothing is limited, but what changes the
    /// nature of a server is as it will be, and where memory will be limited, it is counted.
    ///
    /// # Errors
    /// The same.
    pub fn loose_bonds(&mut self) -> Result<Bonds> {
        self.servers += 1;
        let Restraint { signal_stacks, memory, .. } = self.restraint;
        let cgroups = self.make(None, memory.map(|_| AMPLE))?;
        Ok(Bonds { signal_stacks, cgroups, ..Bonds::default() })
    }

    fn make(&mut self, pids: Option<u64>, memory: Option<u64>) -> Result<Vec<Cgroup>> {
        let name = format!("bench-harness-{}-{}", std::process::id(), self.servers);
        let wanted = [(Controller::Pids, pids), (Controller::Memory, memory)];
        let wanted = wanted.into_iter().filter_map(|(what, limit)| Some((what, limit?)));
        let mut cgroups = Vec::new();
        for (controller, limit) in wanted {
            let warden = self.warden.as_mut().context("a change of the host without a warden")?;
            cgroups.push(Cgroup::make(controller, limit, &name, warden)?);
        }
        Ok(cgroups)
    }

    /// Puts the host back as it was, and says whether that worked.
    ///
    /// # Errors
    /// What could not be put back, and how to do it by hand.
    pub fn release(self) -> Result<()> {
        self.warden.map_or(Ok(()), Warden::release)
    }
}

/// A user without a process: RLIMIT_NPROC counts all of a user's.
fn unused_user() -> Result<u32> {
    let processes = fs::read_dir("/proc").context("reading /proc")?;
    let owner = |entry: fs::DirEntry| entry.metadata().ok().map(|entry| entry.uid());
    let taken: BTreeSet<_> = processes.flatten().filter_map(owner).collect();
    let free = (1..=NOBODY).rev().find(|user| !taken.contains(user));
    free.ok_or_else(|| Unfit("no user without a process for a server to run as".into()).into())
}
