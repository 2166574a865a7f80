//! Who can hold memory, and which of the kernel's objects are whose.

/// Who holds memory. The order is that of tables and bars: from the program down to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// The server's heap.
    Heap,
    /// The server's stacks, as far as they were touched.
    Stacks,
    /// The server's other user memory.
    OtherUser,
    /// Kernel stacks of threads.
    KernelStacks,
    /// What the kernel has for a thread beside its stack: task, signals, pid.
    Threads,
    /// What the kernel has for a mapping.
    Mappings,
    /// The server's page tables.
    PageTables,
    /// Blocks of 32 KiB that threads keep for sending.
    Sending,
    /// The server's ends of the connections: socket, inode, name, file.
    Sockets,
    /// The server's entries in epoll. select and poll keep nothing between two calls.
    Epoll,
    /// Blocks of the kernel that are too large for slabs: descriptor tables before all; of both
    /// ends.
    Tables,
    /// Other objects of the kernel, of both ends: the table of slabs names them.
    OtherSlabs,
    /// Room in slabs that no object has; of both ends.
    Slack,
    /// Variables of CPUs.
    PerCpu,
    /// The load generator's end: its memory, its sockets, its epoll entries, its page tables.
    Client,
    /// What is left of the total.
    Unexplained,
}

impl Holder {
    /// All, in order.
    pub const ALL: [Self; 16] = [
        Self::Heap,
        Self::Stacks,
        Self::OtherUser,
        Self::KernelStacks,
        Self::Threads,
        Self::Mappings,
        Self::PageTables,
        Self::Sending,
        Self::Sockets,
        Self::Epoll,
        Self::Tables,
        Self::OtherSlabs,
        Self::Slack,
        Self::PerCpu,
        Self::Client,
        Self::Unexplained,
    ];

    /// The name of its column.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Heap => "heap_octets",
            Self::Stacks => "stacks_octets",
            Self::OtherUser => "other_user_octets",
            Self::KernelStacks => "kernel_stacks_octets",
            Self::Threads => "thread_objects_octets",
            Self::Mappings => "mapping_objects_octets",
            Self::PageTables => "page_tables_octets",
            Self::Sending => "sending_octets",
            Self::Sockets => "sockets_octets",
            Self::Epoll => "epoll_octets",
            Self::Tables => "tables_octets",
            Self::OtherSlabs => "other_slabs_octets",
            Self::Slack => "slack_octets",
            Self::PerCpu => "per_cpu_octets",
            Self::Client => "client_octets",
            Self::Unexplained => "unexplained_octets",
        }
    }
}

/// Whose the objects of a slab are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One or more at each end of a connection.
    BothEnds,
    /// One at each end that is watched by an epoll; the load generator's always is.
    Watched,
    /// Of a port that a client takes; epoll's entries may be among them.
    Ports,
    /// Of a thread.
    Thread,
    /// Of a mapping.
    Mapping,
    /// Of file systems: what other programs read and write, and what observers of /proc leave. And
    /// what ended connections leave for a minute (TIME-WAIT, RFC 9293 section 3.6).
    Files,
    /// Inodes and names: of sockets as many as there are sockets, the rest of file systems.
    Inodes,
    /// Of nobody in particular.
    Other,
}

const BOTH_ENDS: [&str; 7] = [
    "TCP",
    "TCPv6",
    "sock_inode_cache",
    "filp",
    "lsm_file_cache",
    "request_sock_TCP",
    "request_sock_TCPv6",
];
const WATCHED: [&str; 2] = ["eventpoll_pwq", "ep_head"];
/// The first may share slabs with the other two, which have the same size.
const PORTS: [&str; 3] = ["eventpoll_epi", "tcp_bind_bucket", "tcp_bind2_bucket"];
const THREAD: [&str; 9] = [
    "task_struct",
    "signal_cache",
    "sighand_cache",
    "pid",
    "cred",
    "cred_jar",
    "task_delay_info",
    "files_cache",
    "fs_struct",
];
const MAPPING: [&str; 5] =
    ["vm_area_struct", "vma_lock", "anon_vma", "anon_vma_chain", "maple_node"];
const INODES: [&str; 2] = ["dentry", "lsm_inode_cache"];
const FILES: [&str; 9] = [
    "inode_cache",
    "proc_inode_cache",
    "shmem_inode_cache",
    "proc_dir_entry",
    "kernfs_node_cache",
    "buffer_head",
    "radix_tree_node",
    "extent_status",
    "iomap_ioend",
];
/// Beginnings of the names that file systems and block devices use, those of long names of
/// files, and of ended connections.
const FILE_SYSTEMS: [&str; 11] = [
    "ext4_",
    "jbd2_",
    "xfs_",
    "btrfs_",
    "ovl_",
    "fuse_",
    "nfs_",
    "bio",
    "blkdev_",
    "kmalloc-rcl-",
    "tw_sock_",
];

/// Whose the objects of this name are.
#[must_use]
pub fn kind(slab: &str) -> Kind {
    let of_files = || FILE_SYSTEMS.iter().any(|start| slab.starts_with(start));
    match slab {
        _ if BOTH_ENDS.contains(&slab) => Kind::BothEnds,
        _ if WATCHED.contains(&slab) => Kind::Watched,
        _ if PORTS.contains(&slab) => Kind::Ports,
        _ if THREAD.contains(&slab) => Kind::Thread,
        _ if MAPPING.contains(&slab) => Kind::Mapping,
        _ if INODES.contains(&slab) => Kind::Inodes,
        _ if FILES.contains(&slab) || of_files() => Kind::Files,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_holder_has_its_own_column_in_order() {
        let columns: BTreeSet<_> = Holder::ALL.iter().map(|holder| holder.column()).collect();
        assert_eq!(columns.len(), Holder::ALL.len());
        assert!(Holder::ALL.is_sorted());
    }

    #[test]
    fn a_name_has_one_owner() {
        assert_eq!(kind("TCP"), Kind::BothEnds);
        assert_eq!(kind("eventpoll_epi"), Kind::Ports);
        assert_eq!(kind("ep_head"), Kind::Watched);
        assert_eq!(kind("ext4_inode_cache"), Kind::Files);
        assert_eq!(kind("tw_sock_TCP"), Kind::Files);
        assert_eq!(kind("kmalloc-64"), Kind::Other);
        let known = [&BOTH_ENDS[..], &WATCHED, &PORTS, &THREAD, &MAPPING, &INODES, &FILES].concat();
        assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len());
    }
}
