//! A PID namespace for one child.
//!
//! unshare(2) leaves the caller where it is, and lets its next children be born into a new
//! namespace; setns(2) back to the caller's own ends that. So the child is process 1 of its
//! namespace and still a direct child of this process: its number, its exit status, signals to it
//! and its death with its parent are as ever. As process 1 it does not get signals that it has no
//! handler for, from inside; from here, SIGKILL always works, and `servers` waits for SIGTERM
//! itself. When it ends, the kernel ends whatever is left in the namespace.

use std::fs::File;
use std::io::{Error, Result};

use anyhow::Context;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::utsname::uname;

use crate::fault::Unfit;

/// The first kernel in which a PID namespace has a pid_max of its own. On an older one, setting it
/// inside sets that of the host.
const SINCE: (u32, u32) = (6, 14);

/// Children that the calling thread starts while this lives are born into a new namespace.
#[derive(Debug)]
pub(crate) struct Birthplace {
    home: File,
}

impl Birthplace {
    /// A new namespace.
    pub(crate) fn new() -> Result<Self> {
        let home = File::open("/proc/thread-self/ns/pid")?;
        unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| {
            let error = Error::from(errno);
            let words = format!("no PID namespace for a server (unshare(2), takes root): {error}");
            Error::new(error.kind(), words)
        })?;
        Ok(Self { home })
    }
}

impl Drop for Birthplace {
    fn drop(&mut self) {
        if let Err(error) = setns(&self.home, CloneFlags::CLONE_NEWPID) {
            eprintln!("bench-harness: could not come back from a PID namespace: {error}");
        }
    }
}

/// Whether this kernel has a pid_max for each namespace.
pub(super) fn has_own_pid_max() -> anyhow::Result<()> {
    let name = uname().context("asking for the version of the kernel")?;
    let release = name.release().to_string_lossy().into_owned();
    if version(&release).is_some_and(|version| version >= SINCE) {
        return Ok(());
    }
    let (major, minor) = SINCE;
    Err(Unfit(format!(
        "pid-max takes Linux {major}.{minor}, where each PID namespace has one of its own; \
         this is {release}"
    ))
    .into())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_kernel_is_read() {
        assert_eq!(version("6.18.0-rc1+"), Some((6, 18)));
        assert_eq!(version("5.4-generic"), Some((5, 4)));
        assert_eq!(version("unknown"), None);
        assert!(version("6.9.7").unwrap() < SINCE);
    }
}
