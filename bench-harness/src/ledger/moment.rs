//! All readings at one moment.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::meminfo::{Meminfo, kibibytes, number, socket_buffers};
use super::pages::{free, sending};
use super::slabs::Slabs;
use super::smaps::UserMemory;
use crate::interrupt;
use crate::launch::child::Child;

/// Memory counts as settled when it has changed by no more than this over a pause. Freed objects
/// are given back only after a grace period of RCU.
const STILL: u64 = 64 << 10;

/// How often the host is read again while other programs take and give memory.
const TRIES: u32 = 100;

/// Between two looks at free memory.
const PAUSE: Duration = Duration::from_millis(250);

/// What the kernel says at one moment.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Free pages of the host, in octets.
    pub free: u64,
    /// Who has the others.
    pub memory: Meminfo,
    /// The kernel's objects.
    pub slabs: Slabs,
    /// Octets in blocks that threads keep for sending.
    pub sending: u64,
    /// Octets in buffers of TCP sockets.
    pub socket_buffers: u64,
    /// The server.
    pub server: Role,
    /// The load generator.
    pub client: Role,
}

/// A process and its group; all 0 while there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Role {
    /// User memory.
    pub user: UserMemory,
    /// Page tables, in octets.
    pub page_tables: u64,
    /// Threads.
    pub threads: u64,
    /// What is charged to its group, in octets.
    pub charged: Option<u64>,
}

impl Moment {
    /// Waits until memory has settled, for `patience` at most, and reads everything: the host, and
    /// the two processes if they run.
    ///
    /// # Errors
    /// When /proc can't be read, a process has gone, or the user wants to stop.
    pub fn settled(
        server: Option<&Child>,
        client: Option<&Child>,
        patience: Duration,
    ) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let mut before = spare()?;
        loop {
            pause(PAUSE)?;
            let now = spare()?;
            if now.abs_diff(before) <= STILL || Instant::now() >= deadline {
                return Self::read(server, client);
            }
            before = now;
        }
    }

    fn read(server: Option<&Child>, client: Option<&Child>) -> Result<Self> {
        let page = page_octets();
        // The processes first: reading them takes memory for a moment.
        let (server, client) = (Role::of(server)?, Role::of(client)?);
        let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let (sending, slabs) = (sending(page), Slabs::read(page)?);
        let (free, memory) = at_once(page)?;
        let socket_buffers = socket_buffers(&sockstat, page);
        Ok(Self { free, memory, slabs, sending, socket_buffers, server, client })
    }
}

/// Free memory and the sums of the rest, which are in two files: read again while the one changes
/// around the other.
fn at_once(page: u64) -> Result<(u64, Meminfo)> {
    Meminfo::refresh();
    let mut before = free(page)?;
    let mut memory = Meminfo::read()?;
    for _ in 0..TRIES {
        let after = free(page)?;
        if after.abs_diff(before) <= STILL {
            break;
        }
        before = after;
        memory = Meminfo::read()?;
    }
    Ok((before, memory))
}

impl Role {
    fn of(child: Option<&Child>) -> Result<Self> {
        let role = child.map(|child| Self::read(child.pid(), child.charged()));
        role.unwrap_or_else(|| Ok(Self::default()))
    }

    fn read(pid: u32, charged: Option<u64>) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        Ok(Self {
            user: UserMemory::of(pid)?,
            page_tables: kibibytes(&status, "VmPTE").unwrap_or(0),
            threads: number(&status, "Threads").unwrap_or(0),
            charged,
        })
    }
}

/// Sleeps, unless the user wants to stop.
///
/// # Errors
/// When the user does.
pub(super) fn pause(span: Duration) -> Result<()> {
    // A signal ends a sleep only where it is delivered to the sleeping thread; so short ones.
    sleep(span);
    if interrupt::requested() {
        bail!("interrupted");
    }
    Ok(())
}

/// Memory that is free, or could be: contents of files.
///
/// # Errors
/// When /proc can't be read.
pub(crate) fn spare() -> Result<u64> {
    Ok(free(page_octets())? + Meminfo::read()?.cache)
}

/// The size of a page.
#[must_use]
pub(crate) fn page_octets() -> u64 {
    // SAFETY: sysconf(3) takes a number and returns one.
    let octets = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(octets).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_from_outside() {
        let status = Role::read(std::process::id(), None).unwrap();
        assert!(status.threads >= 1 && status.user.octets() > 0);
        assert!(status.page_tables > 0 && status.charged.is_none());
    }

    #[test]
    fn a_process_that_has_gone_is_an_error_with_its_number() {
        let error = Role::read(u32::MAX >> 1, None).unwrap_err();
        assert!(format!("{error:#}").contains(&(u32::MAX >> 1).to_string()), "{error:#}");
    }
}
