//! The limits of this host: what each is set to, and what changes it.

use serde::{Deserialize, Serialize};

/// A limit that can stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// RLIMIT_NOFILE: descriptors in a table (getrlimit(2)).
    Nofile,
    /// fs.file-max: open files of the whole host.
    FileMax,
    /// FD_SETSIZE: the numbers that an fd_set of the C library holds (select(2)).
    FdSetsize,
    /// RLIMIT_NPROC: processes and threads of a user.
    Nproc,
    /// kernel.threads-max: threads of the whole host.
    ThreadsMax,
    /// kernel.pid_max: numbers for processes and threads.
    PidMax,
    /// The `pids` cgroup: processes and threads in it.
    PidsCgroup,
    /// vm.max_map_count: mappings of a process.
    MaxMapCount,
    /// The `memory` cgroup: memory of the processes in it.
    MemoryCgroup,
    /// Memory that is free.
    Memory,
    /// net.ipv4.tcp_mem: pages that all TCP sockets may hold.
    TcpMem,
    /// fs.epoll.max_user_watches: descriptors that a user's epolls watch.
    EpollWatches,
    /// Ephemeral ports of each source address of the client.
    Ports,
    /// How many workers the model has, each of them for one client.
    Workers,
}
