//! How large the kernel's objects are that a client costs.
//!
//! What the kernel's memory grows by can be read only for the whole host, with all that others do
//! meanwhile. The size of an object can be read exactly (slabinfo(5)), and how many of them a
//! client takes is counted: descriptors, threads, mappings, watches. Only root may read the sizes;
//! for others they are as in Linux 6.18 on x86-64.

use std::fs;

use super::appetite::Appetite;

/// Octets of the stack that a thread has in the kernel (THREAD_SIZE on 64 bits).
const STACK: u64 = 16 << 10;

/// Octets of the kernel for what a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Objects {
    /// One end of a connection: the protocol's part, an inode, a directory entry, a file.
    end: u64,
    thread: u64,
    mapping: u64,
    watch: u64,
}

impl Objects {
    pub(super) fn here() -> Self {
        Self::read(&fs::read_to_string("/proc/slabinfo").unwrap_or_default())
    }

    fn read(slabinfo: &str) -> Self {
        let size = |name, usual| size(slabinfo, name).unwrap_or(usual);
        Self {
            end: size("TCP", 2_368)
                + size("sock_inode_cache", 832)
                + size("dentry", 192)
                + size("filp", 192),
            thread: STACK + size("task_struct", 5_824),
            mapping: size("vm_area_struct", 192),
            watch: size("eventpoll_epi", 128) + size("eventpoll_pwq", 72),
        }
    }

    /// One end of a connection.
    pub(super) fn end(self) -> f64 {
        self.end as f64
    }

    /// What the kernel has for each client of a server with such an appetite, its page tables
    /// apart.
    pub(super) fn each(self, appetite: &Appetite) -> f64 {
        self.end()
            + appetite.threads.each * self.thread as f64
            + appetite.mappings.each * self.mapping as f64
            + appetite.watches.each * self.watch as f64
    }
}

/// The fourth column: the name, objects in use, all objects, and the size of one.
fn size(slabinfo: &str, name: &str) -> Option<u64> {
    let mut rows = slabinfo.lines().map(str::split_whitespace);
    let mut row = rows.find(|row| row.clone().next() == Some(name))?;
    row.nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::appetite::Share;
    use super::*;

    #[test]
    fn objects_are_as_large_as_the_caches_say() {
        let text = "# name <active_objs> <num_objs> <objsize>\nTCP 92 156 3000 13 8 : tunables\n\
                    TCPv6 1 1 9000 1 1 :\ndentry 5 5 200 1 1 :\n";
        let found = Objects::read(text);
        assert_eq!(found.end(), (3_000 + 832 + 200 + 192) as f64);
        assert_eq!(Objects::read("").end(), (2_368 + 832 + 192 + 192) as f64);
    }

    #[test]
    fn a_client_costs_what_it_takes() {
        let share = |each| Share { base: 0.0, each };
        let objects = Objects::read("");
        let reactor = Appetite { watches: share(1.0), ..Appetite::default() };
        assert_eq!(objects.each(&reactor), objects.end() + 200.0);
        let thread = Appetite { threads: share(1.0), mappings: share(4.0), ..Appetite::default() };
        let expected = objects.end() + 16_384.0 + 5_824.0 + 4.0 * 192.0;
        assert_eq!(objects.each(&thread), expected);
    }
}
