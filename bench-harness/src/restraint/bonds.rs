//! What one child is bound by: prepared here, and tied between fork and exec.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid, write};

use super::SignalStacks;
use super::cgroup::{Cgroup, Events};
use super::namespace::Birthplace;

/// The limits of one child. As long as this lives, so do its cgroups.
#[derive(Debug, Default)]
pub struct Bonds {
    pub(super) cgroups: Vec<Cgroup>,
    pub(super) pid_max: Option<String>,
    pub(super) limits: Vec<(Resource, u64)>,
    pub(super) user: Option<u32>,
    pub(super) signal_stacks: SignalStacks,
    pub(super) network: Option<File>,
}

impl Bonds {
    /// For a child in a network namespace: that of the file (namespaces(7)).
    #[must_use]
    pub fn in_network(network: File) -> Self {
        Self { network: Some(network), ..Self::default() }
    }

    /// Where the child is to be born; to be kept until it is.
    pub(crate) fn birthplace(&self) -> io::Result<Option<Birthplace>> {
        self.pid_max.as_ref().map(|_| Birthplace::new()).transpose()
    }

    /// What the child has to do by itself. Descriptors are copies, so that this can be dropped.
    pub(crate) fn knot(&self) -> io::Result<Knot> {
        let cgroups: io::Result<_> =
            self.cgroups.iter().map(|cgroup| cgroup.members().try_clone()).collect();
        Ok(Knot {
            cgroups: cgroups?,
            pid_max: self.pid_max.clone(),
            limits: self.limits.clone(),
            user: self.user,
            signal_stacks: self.signal_stacks,
            network: self.network.as_ref().map(File::try_clone).transpose()?,
        })
    }

    /// The user that the child runs as, where that is another one.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// What its memory cgroup holds now, in octets, where it has one.
    #[must_use]
    pub fn charged(&self) -> Option<u64> {
        self.cgroups.iter().find_map(Cgroup::charged)
    }

    /// What the cgroups had to deny, so far.
    #[must_use]
    pub fn events(&self) -> Events {
        let mut events = Events::default();
        self.cgroups.iter().for_each(|cgroup| cgroup.add_to(&mut events));
        events
    }
}

/// The part of [`Bonds`] that goes through the fork.
#[derive(Debug)]
pub(crate) struct Knot {
    cgroups: Vec<File>,
    pid_max: Option<String>,
    limits: Vec<(Resource, u64)>,
    user: Option<u32>,
    signal_stacks: SignalStacks,
    network: Option<File>,
}

impl Knot {
    /// Binds the calling process, which is a child that has not yet called exec. Makes system
    /// calls, and neither allocates nor takes a lock. What takes root comes before the change of
    /// user.
    pub(crate) fn tie(&self) -> io::Result<()> {
        for cgroup in &self.cgroups {
            write(cgroup.as_fd(), b"0")?;
        }
        if let Some(pid_max) = &self.pid_max {
            // This is the first process of its namespace, whose pid_max the file is to it.
            let file = open(c"/proc/sys/kernel/pid_max", OFlag::O_WRONLY, Mode::empty())?;
            write(file, pid_max.as_bytes())?;
        }
        if let Some(network) = &self.network {
            setns(network, CloneFlags::CLONE_NEWNET)?;
        }
        for (resource, limit) in &self.limits {
            setrlimit(*resource, *limit, *limit)?;
        }
        if self.signal_stacks == SignalStacks::Avoided {
            for overflow in [Signal::SIGSEGV, Signal::SIGBUS] {
                // SAFETY: to ignore a signal runs no code of ours; exec keeps it ignored.
                unsafe { signal(overflow, SigHandler::SigIgn) }?;
            }
        }
        self.user.map_or(Ok(()), become_user)
    }
}

fn become_user(user: u32) -> io::Result<()> {
    setgroups(&[])?;
    setgid(Gid::from_raw(user))?;
    Ok(setuid(Uid::from_raw(user))?)
}
