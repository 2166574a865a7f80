//! The limits of a process's cgroups: the one with the least left, from its own up to the root.
//!
//! A controller is in a hierarchy of its own (version 1) or in the one that all share (version 2);
//! `/proc/PID/cgroup` says where the process is, `/proc/self/mountinfo` where that can be read
//! (cgroups(7)).

use std::fs;
use std::path::{Path, PathBuf};

use super::process::Process;
use super::{field, number};
use crate::limits::host::{Bound, Ends, Limit, Setting};

/// The version 1 way of saying that there is no limit: the highest number, in whole pages.
const NO_LIMIT: u64 = i64::MAX as u64 - 0xfff;

/// A controller, and its files in both versions.
struct Controller {
    name: &'static str,
    limit: Limit,
    most: [&'static str; 2],
    used: [&'static str; 2],
}

const PIDS: Controller = Controller {
    name: "pids",
    limit: Limit::PidsCgroup,
    most: ["pids.max", "pids.max"],
    used: ["pids.current", "pids.current"],
};

const MEMORY: Controller = Controller {
    name: "memory",
    limit: Limit::MemoryCgroup,
    most: ["memory.limit_in_bytes", "memory.max"],
    used: ["memory.usage_in_bytes", "memory.current"],
};

pub(super) fn settings(process: &Process) -> Vec<Setting> {
    let cgroups = fs::read_to_string(format!("{}/cgroup", process.folder)).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let tightest = |controller: &Controller, own: u64| {
        let settings = controller.along(&cgroups, &mounts, own);
        settings.into_iter().min_by_key(|setting| match setting.left() {
            Bound::AtMost(left) => left,
            // What is not known is told, unless something is known to bind.
            Bound::Unknown => u64::MAX - 1,
            Bound::Unlimited => u64::MAX,
        })
    };
    let pids = tightest(&PIDS, process.own_threads());
    let memory = tightest(&MEMORY, process.own_resident());
    let nowhere = |limit, found: Option<Setting>| {
        found.unwrap_or_else(|| Setting::new(limit, "/proc/PID/cgroup", absent(&cgroups)))
    };
    vec![nowhere(Limit::PidsCgroup, pids), nowhere(Limit::MemoryCgroup, memory)]
}

/// A process without cgroups has no limits of that kind; one whose cgroups can't be read may have.
fn absent(cgroups: &str) -> Bound {
    if cgroups.is_empty() { Bound::Unknown } else { Bound::Unlimited }
}

impl Controller {
    /// What it says in each cgroup from that of the process up to the root; empty when it is nowhere.
    fn along(&self, cgroups: &str, mounts: &str, own: u64) -> Vec<Setting> {
        let Some((version, place)) = self.place(cgroups) else { return Vec::new() };
        let Some(folder) = folder(mounts, version.then_some(self.name), &place) else {
            return vec![Setting::new(self.limit, "/proc/PID/cgroup", Bound::Unknown)];
        };
        let top = folder.top.clone();
        let above = folder.own.ancestors().take_while(move |path| path.starts_with(&top));
        let version = usize::from(!version);
        above.filter_map(|path| self.read(path, version, own)).collect()
    }

    /// Whether it is in version 1, and the path of the process in its hierarchy.
    fn place(&self, cgroups: &str) -> Option<(bool, String)> {
        let rows = cgroups.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?, parts.next()?.to_owned()))
        });
        let rows: Vec<_> = rows.collect();
        let alone = rows.iter().find(|(names, _)| names.split(',').any(|name| name == self.name));
        let shared = || rows.iter().find(|(names, _)| names.is_empty());
        alone
            .map(|(_, path)| (true, path.clone()))
            .or_else(|| shared().map(|(_, path)| (false, path.clone())))
    }

    /// The limit in one cgroup; `None` at the root and where the controller is not switched on.
    fn read(&self, folder: &Path, version: usize, own: u64) -> Option<Setting> {
        let path = folder.join(self.most[version]);
        let text = fs::read_to_string(&path).ok()?;
        let bound = match text.trim().parse::<u64>() {
            Ok(most) if most < NO_LIMIT => Bound::AtMost(most),
            Ok(_) => Bound::Unlimited,
            Err(_) if text.trim() == "max" => Bound::Unlimited,
            Err(_) => Bound::Unknown,
        };
        let used = number(&folder.join(self.used[version]).display().to_string());
        let used = used.map(|used| used.saturating_sub(reclaimable(folder)).saturating_sub(own));
        let setting = Setting::new(self.limit, path.display().to_string(), bound).used(used);
        let setting = setting.set_by(format!("echo {{}} > {}", path.display()));
        let ends = if self.limit == Limit::MemoryCgroup { ends(folder) } else { Ends::Server };
        Some(Setting { ends, ..setting })
    }
}

/// Pages of files that nobody has used lately: the kernel drops them before it refuses anything. In
/// a cgroup without memory.stat there are none.
fn reclaimable(folder: &Path) -> u64 {
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    field(&text, "total_inactive_file ").or_else(|| field(&text, "inactive_file ")).unwrap_or(0)
}

/// Whether this process, whose children are the clients, is in the same cgroup or below it.
fn ends(folder: &Path) -> Ends {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = MEMORY
        .place(&cgroups)
        .and_then(|(version, place)| self::folder(&mounts, version.then_some("memory"), &place));
    if own.is_some_and(|own| own.own.starts_with(folder)) { Ends::Both } else { Ends::Server }
}

/// Where a hierarchy is mounted, and where a process is in it.
struct Folder {
    top: PathBuf,
    own: PathBuf,
}

/// Finds a hierarchy among the mounts: that of a version 1 controller, or that of version 2.
fn folder(mounts: &str, controller: Option<&str>, place: &str) -> Option<Folder> {
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split_whitespace();
        let fits = match (kind.next()?, controller) {
            ("cgroup", Some(name)) => kind.nth(1)?.split(',').any(|option| option == name),
            ("cgroup2", None) => true,
            _ => false,
        };
        let mut mount = mount.split_whitespace().skip(3);
        let (root, top) = (mount.next()?, PathBuf::from(mount.next()?));
        // In a container only a part of the hierarchy may be mounted.
        let inside = Path::new(place).strip_prefix(root).ok().filter(|_| fits)?;
        Some(Folder { own: top.join(inside), top })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGROUPS: &str = "8:pids:/a/b\n4:cpu,memory:/m\n0::/v2\n";
    const MOUNTS: &str = "30 23 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
31 23 0:28 /m /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory
32 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn a_controller_of_its_own_comes_before_the_shared_hierarchy() {
        assert_eq!(PIDS.place(CGROUPS), Some((true, "/a/b".into())));
        assert_eq!(MEMORY.place(CGROUPS), Some((true, "/m".into())));
        assert_eq!(PIDS.place("0::/v2\n"), Some((false, "/v2".into())));
        assert_eq!(PIDS.place(""), None);
    }

    #[test]
    fn a_hierarchy_may_be_mounted_in_part() {
        let own = |name, place| folder(MOUNTS, name, place).map(|found| found.own);
        assert_eq!(own(Some("pids"), "/a/b"), Some("/sys/fs/cgroup/pids/a/b".into()));
        assert_eq!(own(Some("memory"), "/m/x"), Some("/sys/fs/cgroup/memory/x".into()));
        assert_eq!(own(Some("memory"), "/other"), None);
        assert_eq!(own(None, "/v2"), Some("/sys/fs/cgroup/unified/v2".into()));
    }

    #[test]
    fn the_cgroup_with_the_least_left_is_the_one_that_counts() {
        let top = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (file, text) in [("a/pids.max", "50"), ("a/pids.current", "40")] {
            write(file, text);
        }
        for (file, text) in [("a/b/pids.max", "max"), ("a/b/pids.current", "7")] {
            write(file, text);
        }
        let mounts = MOUNTS.replace("/sys/fs/cgroup/pids", &top.path().display().to_string());
        let settings = PIDS.along(CGROUPS, &mounts, 5);
        assert_eq!(settings.len(), 2, "{settings:?}");
        assert_eq!(settings[0].left(), Bound::Unlimited);
        assert_eq!(settings[1].left(), Bound::AtMost(50 - 35));
    }
}
