//! A control group for one server: what it may hold, and what happened when it wanted more.
//!
//! Both versions of the interface are known: a hierarchy for each controller (cgroups(7), version
//! 1), and one for all of them (version 2). A controller is in one of the two at any time.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::change::Change;
use super::warden::Warden;
use crate::fault::Unfit;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    /// Processes and threads.
    Pids,
    /// Memory: pages of processes, and what the kernel holds for them.
    Memory,
}

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Self::Pids => "pids",
            Self::Memory => "memory",
        }
    }

    /// The file of the limit.
    const fn limit(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Pids, _) => "pids.max",
            (Self::Memory, Version::One) => "memory.limit_in_bytes",
            (Self::Memory, Version::Two) => "memory.max",
        }
    }

    /// The file that counts what was denied, and the word before the count.
    const fn denied(self, version: Version) -> (&'static str, &'static str) {
        match (self, version) {
            (Self::Pids, _) => ("pids.events", "max"),
            (Self::Memory, Version::One) => ("memory.oom_control", "oom_kill"),
            (Self::Memory, Version::Two) => ("memory.events", "oom_kill"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// What the cgroups of a server had to deny it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Threads or processes that `pids.max` left no room for.
    pub forks_denied: u64,
    /// Processes that the kernel ended for want of memory.
    pub oom_kills: u64,
}

/// A cgroup that was made for one server. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    controller: Controller,
    version: Version,
    change: Change,
    path: PathBuf,
    members: File,
}

impl Cgroup {
    /// Makes it, with its limit, and tells the warden first.
    pub(super) fn make(
        controller: Controller,
        limit: u64,
        name: &str,
        warden: &mut Warden,
    ) -> Result<Self> {
        let (root, version) = root(controller, warden)?;
        let path = root.join(name);
        let change = Change::Folder { path: path.clone() };
        warden.note(change.clone())?;
        fs::create_dir(&path).with_context(|| format!("making the cgroup {}", path.display()))?;
        let file = path.join(controller.limit(version));
        fs::write(&file, limit.to_string())
            .with_context(|| format!("writing {limit} to {}", file.display()))?;
        let members = path.join("cgroup.procs");
        let members = OpenOptions::new().write(true).open(&members);
        let members = members.with_context(|| format!("opening {}", path.display()))?;
        Ok(Self { controller, version, change, path, members })
    }

    /// Where a process writes `0` to become a member.
    pub(super) fn members(&self) -> &File {
        &self.members
    }

    /// What the members hold of memory now, in octets; nothing when memory is not what this is
    /// about.
    ///
    /// Each CPU keeps some charges at hand. Version 1 lets one give them back, together with pages
    /// of files; version 2 does not, and the number is a little higher.
    pub(super) fn charged(&self) -> Option<u64> {
        let file = match (self.controller, self.version) {
            (Controller::Pids, _) => return None,
            (Controller::Memory, Version::One) => "memory.usage_in_bytes",
            (Controller::Memory, Version::Two) => "memory.current",
        };
        // Where there is no such file, or not everything could be given back, nothing is lost.
        let _ = OpenOptions::new()
            .write(true)
            .open(self.path.join("memory.force_empty"))
            .and_then(|mut file| file.write_all(b"0"));
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok()
    }

    /// Adds what was denied here.
    pub(super) fn add_to(&self, events: &mut Events) {
        let (file, word) = self.controller.denied(self.version);
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let count = count(&text, word);
        match self.controller {
            Controller::Pids => events.forks_denied += count,
            Controller::Memory => events.oom_kills += count,
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What does not work here, the warden tries again at the end, and says so if it must.
        let _ = self.change.undo();
    }
}

/// The number behind a word in a flat keyed file.
fn count(text: &str, word: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The hierarchy that has the controller, ready for a folder in it.
fn root(controller: Controller, warden: &mut Warden) -> Result<(PathBuf, Version)> {
    let mounts = fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    let offers = |folder: &Path| {
        let text = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        text.split_whitespace().any(|name| name == controller.name())
    };
    let Some((folder, version)) = find(controller, &mounts, offers) else {
        let name = controller.name();
        let words = format!("no mounted cgroup hierarchy has the controller `{name}`");
        return Err(Unfit(words).into());
    };
    if version == Version::Two {
        delegate(controller, &folder, warden)?;
    }
    Ok((folder, version))
}

fn find(
    controller: Controller,
    mounts: &str,
    offers: impl Fn(&Path) -> bool,
) -> Option<(PathBuf, Version)> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?, fields.next()?))
    });
    let mut found = mounts.filter_map(|(folder, kind, options)| match kind {
        "cgroup" if options.split(',').any(|name| name == controller.name()) => {
            Some((folder, Version::One))
        }
        "cgroup2" if offers(&folder) => Some((folder, Version::Two)),
        _ => None,
    });
    found.next()
}

/// In version 2, a folder has the controllers that the one above hands down.
fn delegate(controller: Controller, folder: &Path, warden: &mut Warden) -> Result<()> {
    let (path, name) = (folder.join("cgroup.subtree_control"), controller.name());
    let given = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    if given.split_whitespace().any(|other| other == name) {
        return Ok(());
    }
    warden.note(Change::Value { path: path.clone(), old: format!("-{name}") })?;
    fs::write(&path, format!("+{name}")).with_context(|| {
        format!(
            "handing the controller `{name}` down in {} (where that folder has processes of its \
             own, as in a container, the kernel refuses: cgroups(7))",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "\
        tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
        cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n\
        cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n\
        cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0\n";

    #[test]
    fn a_controller_is_found_in_either_version() {
        let none = |_: &Path| false;
        let one = find(Controller::Pids, BOTH, none);
        assert_eq!(one, Some(("/sys/fs/cgroup/pids".into(), Version::One)));
        assert_eq!(find(Controller::Memory, BOTH, none), None);
        let two = find(Controller::Memory, BOTH, |_| true);
        assert_eq!(two, Some(("/sys/fs/cgroup/unified".into(), Version::Two)));
    }

    #[test]
    fn what_was_denied_is_read() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(count(text, "oom_kill"), 3);
        assert_eq!(count("max 17\n", "max"), 17);
        assert_eq!(count("", "max"), 0);
    }
}
