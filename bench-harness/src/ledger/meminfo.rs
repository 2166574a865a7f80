//! The kernel's own sums of who has how much memory (proc_meminfo(5)).

use std::fs;

use anyhow::{Context, Result};

/// Memory of the host at one moment, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meminfo {
    /// Contents of files, tmpfs among them, and of block devices: `Cached` and `Buffers`.
    pub cache: u64,
    /// Anonymous pages of all processes.
    pub anonymous: u64,
    /// Slabs, and blocks of the kernel that are too large for one.
    pub slab: u64,
    /// Kernel stacks of threads.
    pub stacks: u64,
    /// Page tables.
    pub page_tables: u64,
    /// Variables that each CPU has for itself.
    pub per_cpu: u64,
    /// Blocks of the kernel that are mapped page by page, stacks not included.
    pub mapped_blocks: u64,
}

impl Meminfo {
    /// Reads it now.
    ///
    /// # Errors
    /// When /proc is not there.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
        Ok(Self::parse(&text))
    }

    /// Has each CPU tell the small changes that it keeps to itself: a read by root does
    /// (mm/vmstat.c). Without it the figures are some hundred KiB older.
    pub fn refresh() {
        let _ = fs::read("/proc/sys/vm/stat_refresh");
    }

    /// Reads the text of `/proc/meminfo`; what is not in it is 0.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let field = |name| kibibytes(text, name).unwrap_or(0);
        let stacks = field("KernelStack");
        Self {
            cache: field("Cached") + field("Buffers"),
            anonymous: field("AnonPages"),
            slab: field("Slab"),
            stacks,
            page_tables: field("PageTables") + field("SecPageTables"),
            per_cpu: field("Percpu"),
            // Stacks of threads are such blocks, too (CONFIG_VMAP_STACK).
            mapped_blocks: field("VmallocUsed").saturating_sub(stacks),
        }
    }
}

/// A line `Name:   123 kB` in octets.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    number(text, name).map(|kibibytes: u64| kibibytes * 1024)
}

/// The number behind `Name:`.
pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Octets in the buffers of TCP sockets: `mem` of `/proc/net/sockstat`, which counts pages. They
/// lie in slabs and pages that are counted there; idle connections have none.
#[must_use]
pub fn socket_buffers(sockstat: &str, page: u64) -> u64 {
    let tcp = sockstat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let mem = tcp.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    mem.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * page
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "MemTotal: 9 kB\nMemFree:  4 kB\nBuffers: 1 kB\nCached:   2 kB\n\
        SwapCached: 77 kB\nAnonPages: 3 kB\nSlab: 5 kB\nKernelStack: 16 kB\nPageTables: 6 kB\n\
        SecPageTables: 1 kB\nVmallocUsed: 20 kB\nPercpu: 8 kB\n";

    #[test]
    fn names_are_whole_and_units_are_octets() {
        let read = Meminfo::parse(TEXT);
        assert_eq!((read.cache, read.anonymous), (3 << 10, 3 << 10));
        assert_eq!((read.slab, read.page_tables, read.per_cpu), (5 << 10, 7 << 10, 8 << 10));
    }

    #[test]
    fn stacks_are_not_counted_twice() {
        let read = Meminfo::parse(TEXT);
        assert_eq!((read.stacks, read.mapped_blocks), (16 << 10, 4 << 10));
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        assert_eq!(Meminfo::parse("Cached: much kB\nnonsense"), Meminfo::default());
    }

    #[test]
    fn buffers_of_sockets_are_pages() {
        let text = "sockets: used 15\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 262\nUDP: mem 9\n";
        assert_eq!(socket_buffers(text, 4096), 262 * 4096);
        assert_eq!(socket_buffers("", 4096), 0);
    }
}
