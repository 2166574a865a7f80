//! What connections cost in memory: in both processes, and in the kernel.
//!
//! Kernel memory is known for the whole host only (proc_meminfo(5)), so what else happens on the
//! host is in it: believe it for many connections on a quiet host. If the target is on the same
//! host it covers both ends.

use std::fs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Memory at one moment, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    own: u64,
    watched: Option<u64>,
    slab: u64,
    stacks: u64,
    page_tables: u64,
    buffers: u64,
    available: u64,
}

/// What was added between the moment before the first connection and the end, in octets. What
/// became less is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Growth {
    /// Resident memory of the load generator.
    pub client: i64,
    /// Resident memory of the watched process.
    pub server: Option<i64>,
    /// Kernel objects in use: sockets, files, epoll entries (slabinfo(5); for others than root Slab
    /// in proc_meminfo(5), with what is kept for later).
    pub slab: i64,
    /// Kernel stacks of threads.
    pub stacks: i64,
    /// Page tables.
    pub page_tables: i64,
    /// Octets in socket buffers: `mem` in /proc/net/sockstat.
    pub buffers: i64,
    /// What the host has less to give away: MemAvailable in proc_meminfo(5).
    pub available_less: i64,
}

impl Reading {
    /// Reads everything that can be read; what can't is 0.
    #[must_use]
    pub fn take(watch: Option<i32>) -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibi = |name: &str| field(&meminfo, name).unwrap_or(0) * 1024;
        Self {
            own: resident("self").unwrap_or(0),
            watched: watch.and_then(|pid| resident(&pid.to_string())),
            slab: slab_in_use().unwrap_or_else(|| kibi("Slab:")),
            stacks: kibi("KernelStack:"),
            page_tables: kibi("PageTables:"),
            buffers: socket_pages().unwrap_or(0) * 4096,
            available: kibi("MemAvailable:"),
        }
    }

    /// What was added until a `later` moment.
    #[must_use]
    pub fn until(&self, later: &Self) -> Growth {
        let more = |before: u64, after: u64| after as i64 - before as i64;
        Growth {
            client: more(self.own, later.own),
            server: self.watched.zip(later.watched).map(|(before, after)| more(before, after)),
            slab: more(self.slab, later.slab),
            stacks: more(self.stacks, later.stacks),
            page_tables: more(self.page_tables, later.page_tables),
            buffers: more(self.buffers, later.buffers),
            available_less: more(later.available, self.available),
        }
    }
}

impl Growth {
    /// All that the kernel added for the connections.
    #[must_use]
    pub fn kernel(&self) -> i64 {
        self.slab + self.stacks + self.page_tables + self.buffers
    }
}

/// Octets of memory that the host could give away: MemAvailable in proc_meminfo(5).
#[must_use]
pub fn available() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    Some(field(&meminfo, "MemAvailable:")? * 1024)
}

/// Octets of all kernel objects that are in use (slabinfo(5)). What the caches keep for later is
/// not in it, but only root may read it.
fn slab_in_use() -> Option<u64> {
    let slabinfo = fs::read_to_string("/proc/slabinfo").ok()?;
    let caches = slabinfo.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let active: u64 = fields.next()?.parse().ok()?;
        let octets: u64 = fields.nth(1)?.parse().ok()?;
        Some(active * octets)
    });
    Some(caches.sum())
}

fn resident(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(field(&status, "VmRSS:")? * 1024)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Pages in the buffers of TCP sockets.
fn socket_pages() -> Option<u64> {
    let sockstat = fs::read_to_string("/proc/net/sockstat").ok()?;
    let tcp = sockstat.lines().find(|line| line.starts_with("TCP:"))?;
    let mut words = tcp.split_whitespace().skip_while(|&word| word != "mem");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign() {
        let before = Reading { own: 10, slab: 100, available: 1000, ..Reading::default() };
        let later = Reading { own: 30, slab: 90, available: 400, ..Reading::default() };
        let growth = before.until(&later);
        assert_eq!((growth.client, growth.slab, growth.available_less), (20, -10, 600));
        assert_eq!((growth.server, growth.kernel()), (None, -10));
    }

    #[test]
    fn memory_that_this_process_takes_is_seen() {
        let before = Reading::take(Some(std::process::id() as i32));
        let taken = vec![1_u8; 64 << 20];
        let growth = before.until(&Reading::take(Some(std::process::id() as i32)));
        assert!(growth.client > 32 << 20, "{growth:?}");
        assert!(growth.server.is_some_and(|server| server > 32 << 20), "{growth:?}");
        assert_eq!(taken.iter().map(|&octet| u64::from(octet)).sum::<u64>(), 64 << 20);
    }
}
