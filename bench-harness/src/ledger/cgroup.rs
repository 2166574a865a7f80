//! A memory cgroup for the length of a trial: what the kernel charges to one process.
//!
//! It tells both ends apart, but it is no total: on cgroup v1 a socket that a server accepts is
//! charged to nobody, since it is made while a packet comes in, not by the server; and pages that
//! threads keep for sending are never charged. So the total comes from free memory, and what the
//! groups miss of it is a column of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Groups of this program begin so; the number of its process follows.
const PREFIX: &str = "bench-harness-ledger-";

/// How often, and how far apart, removing a group is tried: its last process may just be ending.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// A memory cgroup, removed when this is dropped.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    usage: &'static str,
}

/// Where memory cgroups are, and the file that says how much is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    root: PathBuf,
    usage: &'static str,
}

impl Group {
    /// Makes one; `None` where this process may not, or the host has none. Then a column is empty.
    #[must_use]
    pub fn create(role: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let Place { root, usage } = place(&mounts, has_memory)?;
        sweep(&root);
        let path = root.join(format!("{PREFIX}{}-{role}", std::process::id()));
        // One of this name is a rest of this very process.
        fs::create_dir(&path).or_else(|_| fs::metadata(&path).map(drop)).ok()?;
        let group = Self { path, usage };
        group.charged().is_some().then_some(group)
    }

    /// The file that takes the numbers of processes to come in.
    #[must_use]
    pub fn entrance(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// What is charged to the group now, in octets: user memory, and what the kernel holds for it.
    #[must_use]
    pub fn charged(&self) -> Option<u64> {
        fs::read_to_string(self.path.join(self.usage)).ok()?.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            if fs::remove_dir(&self.path).is_ok() || !self.path.exists() {
                return;
            }
            sleep(PAUSE);
        }
        eprintln!("bench-harness: {} is left; rmdir removes it", self.path.display());
    }
}

/// cgroup v1 has a mount for memory; in v2 the controller has to be switched on for children.
fn place(mounts: &str, has_memory: impl Fn(&Path) -> bool) -> Option<Place> {
    mounts.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, root, kind, options, ..] = words[..] else { return None };
        let root = PathBuf::from(root);
        match kind {
            "cgroup" if options.split(',').any(|option| option == "memory") => {
                Some(Place { root, usage: "memory.usage_in_bytes" })
            }
            "cgroup2" if has_memory(&root) => Some(Place { root, usage: "memory.current" }),
            _ => None,
        }
    })
}

fn has_memory(root: &Path) -> bool {
    let switched_on = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
    switched_on.split_whitespace().any(|controller| controller == "memory")
}

/// Removes the groups of runs that were killed. A group with processes in it can't be removed.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_has_a_mount_for_memory_and_v2_a_switch() {
        let v1 = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n";
        let found = place(v1, |_| false).unwrap();
        assert_eq!(found.root, Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(found.usage, "memory.usage_in_bytes");
        let v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
        assert_eq!(place(v2, |_| true).unwrap().usage, "memory.current");
        assert_eq!(place(v2, |_| false), None);
    }

    #[test]
    fn a_group_is_gone_when_it_is_dropped() {
        let Some(group) = Group::create("test") else {
            return eprintln!("skipped: no memory cgroup can be made here");
        };
        let path = group.path.clone();
        assert!(path.exists() && group.charged().is_some());
        drop(group);
        assert!(!path.exists());
    }
}
