//! The limits of this host: what each is set to, how much of it others use, and what raises it.
//!
//! A limit holds for somebody: a table, a process, a user, a cgroup, the host. So they are read for
//! a process: [`HostLimits::of`] one that runs, perhaps under limits of its own, or
//! [`HostLimits::look`] for one that this process would start. What can't be read is
//! [`Bound::Unknown`], which is not the same as unlimited.

use serde::{Deserialize, Serialize};

use super::reading;

/// A limit that can stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// RLIMIT_NOFILE: descriptors in a table (getrlimit(2)).
    Nofile,
    /// fs.file-max: open files of the whole host (proc_sys_fs(5)).
    FileMax,
    /// FD_SETSIZE: the numbers that an fd_set of the C library holds (select(2)).
    FdSetsize,
    /// RLIMIT_NPROC: processes and threads of a user (getrlimit(2)).
    Nproc,
    /// kernel.threads-max: threads of the whole host (proc_sys_kernel(5)).
    ThreadsMax,
    /// kernel.pid_max: numbers for processes and threads (proc_sys_kernel(5)).
    PidMax,
    /// The `pids` cgroup: processes and threads in it (cgroups(7)).
    PidsCgroup,
    /// vm.max_map_count: mappings of a process (proc_sys_vm(5)).
    MaxMapCount,
    /// The `memory` cgroup: memory of the processes in it (cgroups(7)).
    MemoryCgroup,
    /// Memory that is free: MemAvailable in proc_meminfo(5).
    Memory,
    /// net.ipv4.tcp_mem: pages that all TCP sockets may hold (tcp(7)).
    TcpMem,
    /// fs.epoll.max_user_watches: descriptors that a user's epolls watch (epoll(7)).
    EpollWatches,
    /// Ephemeral ports of each source address of the client (ip(7)).
    Ports,
    /// How many workers the model has, each of them for one client.
    Workers,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Nofile,
        Self::FileMax,
        Self::FdSetsize,
        Self::Nproc,
        Self::ThreadsMax,
        Self::PidMax,
        Self::PidsCgroup,
        Self::MaxMapCount,
        Self::MemoryCgroup,
        Self::Memory,
        Self::TcpMem,
        Self::EpollWatches,
        Self::Ports,
        Self::Workers,
    ];

    /// What it is called where it is set.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nofile => "RLIMIT_NOFILE",
            Self::FileMax => "fs.file-max",
            Self::FdSetsize => "FD_SETSIZE",
            Self::Nproc => "RLIMIT_NPROC",
            Self::ThreadsMax => "kernel.threads-max",
            Self::PidMax => "kernel.pid_max",
            Self::PidsCgroup => "cgroup pids.max",
            Self::MaxMapCount => "vm.max_map_count",
            Self::MemoryCgroup => "cgroup memory",
            Self::Memory => "free memory",
            Self::TcpMem => "net.ipv4.tcp_mem",
            Self::EpollWatches => "fs.epoll.max_user_watches",
            Self::Ports => "ephemeral ports",
            Self::Workers => "workers",
        }
    }

    /// What it counts.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Nofile | Self::FdSetsize => "descriptors",
            Self::FileMax => "open files",
            Self::Nproc | Self::ThreadsMax | Self::PidsCgroup => "threads",
            Self::PidMax => "numbers",
            Self::MaxMapCount => "mappings",
            Self::MemoryCgroup | Self::Memory => "octets",
            Self::TcpMem => "pages",
            Self::EpollWatches => "watches",
            Self::Ports => "ports of an address",
            Self::Workers => "workers",
        }
    }
}

/// How much there may be of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// It can't be read.
    Unknown,
    /// There is no limit.
    Unlimited,
    /// So many, and no more.
    AtMost(u64),
}

/// Which ends of a connection take from a limit, when both are on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// Only the server's.
    Server,
    /// The server's and the client's.
    Both,
}

/// What a limit is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Which limit.
    pub limit: Limit,
    /// Where it was read: a path, or the page of the manual.
    pub source: String,
    /// What it is set to, in the limit's unit.
    pub bound: Bound,
    /// What is kept from everybody, as the numbers below 300 are when the kernel starts over.
    pub reserved: u64,
    /// How much of it others than the server use now; `None` when that can't be read.
    pub others: Option<u64>,
    /// The highest value that whoever asks could set it to.
    pub ceiling: u64,
    /// What sets it: a command in which `{}` stands for the value; empty where nothing does.
    pub command: String,
    /// Why it does not hold for this process; `None` when it does.
    pub waived: Option<String>,
    /// Who takes from it.
    pub ends: Ends,
}

impl Setting {
    /// A limit of the server alone that nobody uses yet.
    #[must_use]
    pub fn new(limit: Limit, source: impl Into<String>, bound: Bound) -> Self {
        let source = source.into();
        let (reserved, others, ceiling, command) = (0, Some(0), u64::MAX, String::new());
        let (waived, ends) = (None, Ends::Server);
        Self { limit, source, bound, reserved, others, ceiling, command, waived, ends }
    }

    /// The same, which a command sets in which `{}` stands for the value.
    #[must_use]
    pub fn set_by(self, command: impl Into<String>) -> Self {
        Self { command: command.into(), ..self }
    }

    /// The same, of which others use so many.
    #[must_use]
    pub fn used(self, others: Option<u64>) -> Self {
        Self { others, ..self }
    }

    /// The same, which both ends of a connection take from.
    #[must_use]
    pub fn both_ends(self) -> Self {
        Self { ends: Ends::Both, ..self }
    }

    /// The same, which can't be raised beyond `ceiling`.
    #[must_use]
    pub fn up_to(self, ceiling: u64) -> Self {
        Self { ceiling: ceiling.min(self.ceiling), ..self }
    }

    /// What is left of it for a server; unknown too where nobody knows what others use.
    #[must_use]
    pub fn left(&self) -> Bound {
        match (self.bound, self.others) {
            _ if self.waived.is_some() => Bound::Unlimited,
            (Bound::AtMost(most), Some(others)) => {
                Bound::AtMost(most.saturating_sub(others).saturating_sub(self.reserved))
            }
            (Bound::AtMost(_), None) => Bound::Unknown,
            (bound, _) => bound,
        }
    }
}

/// Something about the host that stops nobody, but belongs beside what does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Where it was read.
    pub source: String,
    /// As the kernel prints it, or `unknown`.
    pub value: String,
}

/// All limits that hold for a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLimits {
    /// Each limit at most once.
    pub settings: Vec<Setting>,
    /// What else was looked at.
    pub facts: Vec<Fact>,
}

impl HostLimits {
    /// Those that a server would be under which this process starts.
    #[must_use]
    pub fn look() -> Self {
        reading::limits(reading::Subject::Child)
    }

    /// Those that hold for a server which runs already. What the server itself uses is not counted
    /// among what others use.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        reading::limits(reading::Subject::Running(pid))
    }

    /// What this limit is set to; `None` when nobody looked.
    #[must_use]
    pub fn setting(&self, limit: Limit) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.limit == limit)
    }

    /// The same with one limit set otherwise.
    #[must_use]
    pub fn with(mut self, setting: Setting) -> Self {
        self.settings.retain(|other| other.limit != setting.limit);
        self.settings.push(setting);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_neither_others_nor_the_kernel_keep() {
        let setting = Setting::new(Limit::PidMax, "planted", Bound::AtMost(1_000));
        let setting = Setting { reserved: 300, ..setting.used(Some(100)) };
        assert_eq!(setting.left(), Bound::AtMost(600));
        assert_eq!(setting.clone().used(Some(5_000)).left(), Bound::AtMost(0));
        assert_eq!(setting.clone().used(None).left(), Bound::Unknown);
        assert_eq!(Setting { bound: Bound::Unknown, ..setting.clone() }.left(), Bound::Unknown);
        let root = Setting { waived: Some("root".into()), ..setting };
        assert_eq!(root.left(), Bound::Unlimited);
    }

    #[test]
    fn every_limit_is_looked_at_and_says_where_it_is_from() {
        let found = HostLimits::look();
        for limit in Limit::ALL.into_iter().filter(|&limit| limit != Limit::Workers) {
            let setting = found.setting(limit).unwrap_or_else(|| panic!("{limit:?} is missing"));
            assert!(!setting.source.is_empty(), "{setting:?}");
        }
    }
}
