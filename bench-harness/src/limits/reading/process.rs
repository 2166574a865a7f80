//! The limits of a process and of its user: `/proc/PID/limits` and `/proc/PID/status`.

use std::fs;

use nix::libc::FD_SETSIZE;

use super::{Subject, field, number};
use crate::limits::host::{Bound, Fact, Limit, Setting};

/// CAP_SYS_ADMIN and CAP_SYS_RESOURCE (capabilities(7)).
const ADMIN: u64 = 1 << 21;
const RESOURCE: u64 = 1 << 24;

/// The first user namespace: the only one whose capabilities lift a limit of the host.
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";

/// A process whose limits are wanted.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Its folder.
    pub(super) folder: String,
    subject: Subject,
    limits: String,
    status: String,
    capabilities: u64,
}

impl Process {
    /// What can't be read is empty, and later unknown.
    pub(super) fn read(subject: Subject) -> Self {
        let folder = match subject {
            Subject::Child => "/proc/self".to_owned(),
            Subject::Running(pid) => format!("/proc/{pid}"),
        };
        let file = |name: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
        let (limits, status) = (file("limits"), file("status"));
        let capabilities = capabilities(&folder, &status);
        Self { subject, limits, status, capabilities, folder }
    }

    /// Its number; `None` for one yet to be started.
    pub(super) fn pid(&self) -> Option<u32> {
        match self.subject {
            Subject::Child => None,
            Subject::Running(pid) => Some(pid),
        }
    }

    /// Threads that others need not be blamed for.
    pub(super) fn own_threads(&self) -> u64 {
        self.own("Threads:").unwrap_or(0)
    }

    /// Resident octets that others need not be blamed for.
    pub(super) fn own_resident(&self) -> u64 {
        self.own("VmRSS:").unwrap_or(0) * 1024
    }

    fn own(&self, name: &str) -> Option<u64> {
        self.pid().and_then(|_| field(&self.status, name))
    }

    /// Whether it may pass what only an administrator passes (CAP_SYS_ADMIN).
    pub(super) fn is_admin(&self) -> bool {
        self.capabilities & ADMIN != 0
    }

    /// What `/proc/PID/limits` and the C library say.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let library = Bound::AtMost(FD_SETSIZE as u64);
        vec![
            self.nofile(),
            Setting::new(Limit::FdSetsize, "<sys/select.h>", library).up_to(FD_SETSIZE as u64),
            self.nproc(),
        ]
    }

    /// The hard limit: a server takes what it may have without asking anybody.
    fn nofile(&self) -> Setting {
        let (_, hard) = rlimit(&self.limits, "Max open files");
        let highest = number("/proc/sys/fs/nr_open").unwrap_or(u64::MAX);
        let setting = Setting::new(Limit::Nofile, self.path("limits"), hard);
        setting.set_by("prlimit --nofile={}:{} servers run …").up_to(raisable(hard, highest))
    }

    fn nproc(&self) -> Setting {
        let (soft, hard) = rlimit(&self.limits, "Max processes");
        let user = field(&self.status, "Uid:");
        let threads = user.map(|user| threads_of(user).saturating_sub(self.own_threads()));
        let setting = Setting::new(Limit::Nproc, self.path("limits"), soft).used(threads);
        let waived = match user {
            Some(0) => Some("not held against root".to_owned()),
            Some(_) if self.capabilities & (ADMIN | RESOURCE) != 0 => {
                Some("not held against CAP_SYS_ADMIN and CAP_SYS_RESOURCE".to_owned())
            }
            _ => None,
        };
        let setting = setting.set_by("prlimit --nproc={}:{} servers run …");
        Setting { waived, ..setting.up_to(raisable(hard, u64::MAX)) }
    }

    /// What is of interest, but stops nobody.
    pub(super) fn facts(&self) -> Vec<Fact> {
        [
            ("soft limit of descriptors", "Max open files"),
            ("stack of the first thread, soft limit in octets", "Max stack size"),
            ("address space in octets", "Max address space"),
        ]
        .map(|(name, row)| Fact {
            name: name.into(),
            source: self.path("limits"),
            value: words(rlimit(&self.limits, row).0),
        })
        .into()
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

fn words(bound: Bound) -> String {
    match bound {
        Bound::Unknown => "unknown".into(),
        Bound::Unlimited => "unlimited".into(),
        Bound::AtMost(most) => most.to_string(),
    }
}

/// How high this process can set a limit for one that it starts: only CAP_SYS_RESOURCE goes beyond
/// the hard limit.
fn raisable(hard: Bound, highest: u64) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match hard {
        _ if capabilities("/proc/self", &status) & RESOURCE != 0 => highest,
        Bound::AtMost(hard) => hard,
        Bound::Unlimited => highest,
        Bound::Unknown => 0,
    }
}

fn capabilities(folder: &str, status: &str) -> u64 {
    let space = fs::read_link(format!("{folder}/ns/user")).unwrap_or_default();
    if space.as_os_str() != FIRST_USER_NAMESPACE {
        return 0;
    }
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Soft and hard limit of a row of `/proc/PID/limits`.
fn rlimit(text: &str, row: &str) -> (Bound, Bound) {
    let line = text.lines().find_map(|line| line.strip_prefix(row)).unwrap_or_default();
    let mut values = line.split_whitespace().map(|word| match word.parse() {
        Ok(most) => Bound::AtMost(most),
        Err(_) if word == "unlimited" => Bound::Unlimited,
        Err(_) => Bound::Unknown,
    });
    (values.next().unwrap_or(Bound::Unknown), values.next().unwrap_or(Bound::Unknown))
}

/// All threads of all processes of a user, by the real user id.
fn threads_of(user: u64) -> u64 {
    processes()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .filter(|status| field(status, "Uid:") == Some(user))
        .filter_map(|status| field(&status, "Threads:"))
        .sum()
}

/// The processes that are seen from here.
pub(super) fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units
Max stack size            8388608              unlimited            bytes
Max open files            1024                 20000                files
";

    #[test]
    fn a_row_has_a_soft_and_a_hard_limit() {
        assert_eq!(rlimit(LIMITS, "Max open files"), (Bound::AtMost(1_024), Bound::AtMost(20_000)));
        assert_eq!(rlimit(LIMITS, "Max stack size"), (Bound::AtMost(8_388_608), Bound::Unlimited));
        assert_eq!(rlimit(LIMITS, "Max processes"), (Bound::Unknown, Bound::Unknown));
    }

    #[test]
    fn the_threads_of_this_process_are_among_those_of_its_user() {
        let process = Process::read(Subject::Running(std::process::id()));
        let user = field(&process.status, "Uid:").unwrap();
        assert!(process.own_threads() >= 1 && threads_of(user) >= process.own_threads());
    }

    #[test]
    fn a_process_that_is_gone_has_unknown_limits() {
        let nobody = Process::read(Subject::Running(u32::MAX));
        assert!(nobody.settings().iter().any(|setting| setting.bound == Bound::Unknown));
        assert_eq!(nobody.nofile().bound, Bound::Unknown);
        assert_eq!(nobody.nproc().left(), Bound::Unknown);
    }
}
