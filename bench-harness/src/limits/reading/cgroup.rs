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
    /// What others than this process use of it.
    others: fn(&Path, &Process) -> Option<u64>,
}

const PIDS: Controller = Controller {
    name: "pids",
    limit: Limit::PidsCgroup,
    most: ["pids.max", "pids.max"],
    others: |folder, process| threads_below(folder, process.pid()),
};

const MEMORY: Controller = Controller {
    name: "memory",
    limit: Limit::MemoryCgroup,
    most: ["memory.limit_in_bytes", "memory.max"],
    others: |folder, process| Some(memory_used(folder)?.saturating_sub(process.own_resident())),
};

pub(super) fn settings(process: &Process) -> Vec<Setting> {
    let cgroups = fs::read_to_string(format!("{}/cgroup", process.folder)).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let tightest = |controller: &Controller| {
        let settings = controller.along(&cgroups, &mounts, process);
        settings.into_iter().min_by_key(|setting| match setting.left() {
            Bound::AtMost(left) => left,
            // What is not known is told, unless something is known to bind.
            Bound::Unknown => u64::MAX - 1,
            Bound::Unlimited => u64::MAX,
        })
    };
    let nowhere = |limit| Setting::new(limit, "/proc/PID/cgroup", absent(&cgroups));
    let setting = |of: &Controller| tightest(of).unwrap_or_else(|| nowhere(of.limit));
    vec![setting(&PIDS), setting(&MEMORY)]
}

/// A process without cgroups has no limits of that kind; one whose cgroups can't be read may have.
fn absent(cgroups: &str) -> Bound {
    if cgroups.is_empty() { Bound::Unknown } else { Bound::Unlimited }
}

impl Controller {
    /// What it says in each cgroup from that of the process up to the root; empty when it is
    /// nowhere.
    fn along(&self, cgroups: &str, mounts: &str, process: &Process) -> Vec<Setting> {
        let Some((version, place)) = self.place(cgroups) else { return Vec::new() };
        let Some(folder) = folder(mounts, version.then_some(self.name), &place) else {
            return vec![Setting::new(self.limit, "/proc/PID/cgroup", Bound::Unknown)];
        };
        let top = folder.top.clone();
        let above = folder.own.ancestors().take_while(move |path| path.starts_with(&top));
        let version = usize::from(!version);
        above.filter_map(|path| self.read(path, version, process)).collect()
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
    fn read(&self, folder: &Path, version: usize, process: &Process) -> Option<Setting> {
        let path = folder.join(self.most[version]);
        let text = fs::read_to_string(&path).ok()?;
        let bound = match text.trim().parse::<u64>() {
            Ok(most) if most < NO_LIMIT => Bound::AtMost(most),
            Ok(_) => Bound::Unlimited,
            Err(_) if text.trim() == "max" => Bound::Unlimited,
            Err(_) => Bound::Unknown,
        };
        let setting = Setting::new(self.limit, path.display().to_string(), bound);
        let setting = setting.used((self.others)(folder, process));
        let setting = setting.set_by(format!("echo {{}} > {}", path.display()));
        let ends = if self.limit == Limit::MemoryCgroup { ends(folder) } else { Ends::Server };
        Some(Setting { ends, ..setting })
    }
}

/// All threads in a cgroup and below it, except those of the server. Counted rather than read from
/// pids.current, which forgets threads only some time after they have ended.
fn threads_below(folder: &Path, server: Option<u32>) -> Option<u64> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).ok()?;
    let others = text.lines().filter_map(|line| line.parse().ok());
    let others = others.filter(|&pid: &u32| server != Some(pid));
    let threads = |pid| fs::read_to_string(format!("/proc/{pid}/status")).ok();
    let here: u64 = others.filter_map(|pid| field(&threads(pid)?, "Threads:")).sum();
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let below =
        entries.filter(|path| path.is_dir()).filter_map(|path| threads_below(&path, server));
    Some(here + below.sum::<u64>())
}

/// What a cgroup and all below it use, less pages of files that nobody has used lately: the kernel
/// drops those before it refuses anything.
fn memory_used(folder: &Path) -> Option<u64> {
    let read = |name: &str| number(&folder.join(name).display().to_string());
    let used = read("memory.usage_in_bytes").or_else(|| read("memory.current"))?;
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let idle = field(&text, "total_inactive_file ").or_else(|| field(&text, "inactive_file "));
    Some(used.saturating_sub(idle.unwrap_or(0)))
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
    use super::super::Subject;
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

    fn planted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        top
    }

    #[test]
    fn every_cgroup_up_to_the_root_is_asked_for_its_limit_and_its_threads() {
        let own = std::process::id();
        let (procs, parents) = (format!("{own}\n"), "1\n");
        let top = planted(&[
            ("a/pids.max", "50"),
            ("a/cgroup.procs", parents),
            ("a/b/pids.max", "max"),
            ("a/b/cgroup.procs", &procs),
        ]);
        let mounts = MOUNTS.replace("/sys/fs/cgroup/pids", &top.path().display().to_string());
        let server = Process::read(Subject::Running(own));
        let found = PIDS.along(CGROUPS, &mounts, &server);
        let bounds: Vec<_> = found.iter().map(|setting| setting.bound).collect();
        assert_eq!(bounds, [Bound::Unlimited, Bound::AtMost(50)]);
        // The threads of the server itself are not those of others, in either of them.
        let others = field(&fs::read_to_string("/proc/1/status").unwrap(), "Threads:");
        assert_eq!((found[0].others, found[1].others), (Some(0), others));
        let started = Process::read(Subject::Child);
        assert!(PIDS.along(CGROUPS, &mounts, &started)[0].others > Some(0));
    }

    #[test]
    fn files_that_nobody_uses_are_no_memory_in_use() {
        let top = planted(&[
            ("one/memory.usage_in_bytes", "5000"),
            ("one/memory.stat", "cache 1\ninactive_file 7\ntotal_inactive_file 3000\n"),
            ("two/memory.current", "5000"),
            ("two/memory.stat", "inactive_file 1000\n"),
        ]);
        let used = |folder: &str| memory_used(&top.path().join(folder));
        assert_eq!((used("one"), used("two"), used("three")), (Some(2_000), Some(4_000), None));
    }
}
