//! A change of the host, as a line of text, and how it is undone.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the last process in a cgroup may take to be gone.
const GOING: Duration = Duration::from_secs(5);

/// What was changed, with all that it takes to undo it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A file of the kernel had this value.
    Value { path: PathBuf, old: String },
    /// There was no such cgroup.
    Folder { path: PathBuf },
}

impl Change {
    /// One line; paths and values of the kernel have neither tabs nor line ends.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Value { path, old } => format!("value\t{}\t{old}\n", path.display()),
            Self::Folder { path } => format!("folder\t{}\n", path.display()),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end_matches('\n').split('\t');
        let change = match (fields.next()?, fields.next()?, fields.next()) {
            ("value", path, Some(old)) => Self::Value { path: path.into(), old: old.into() },
            ("folder", path, None) => Self::Folder { path: path.into() },
            _ => return None,
        };
        fields.next().is_none().then_some(change)
    }

    /// Makes it as it was. Doing so twice does no harm.
    pub(super) fn undo(&self) -> Result<()> {
        let done = match self {
            Self::Value { path, old } => fs::write(path, old),
            Self::Folder { path } => remove(path),
        };
        done.map_err(|error| Error::new(error.kind(), format!("{}: {error}", self.advice())))
    }

    /// What a user can do who has to do it.
    fn advice(&self) -> String {
        match self {
            Self::Value { path, old } => {
                format!("could not put back {old} into {}", path.display())
            }
            Self::Folder { path } => format!("could not remove the cgroup {}", path.display()),
        }
    }
}

/// Undoes all changes, the last one first; goes on after a failure, and returns the first.
pub(super) fn undo_all(changes: &[Change]) -> Result<()> {
    changes.iter().rev().map(Change::undo).fold(Ok(()), Result::and)
}

/// Removes a cgroup, and ends whoever is left in it.
fn remove(folder: &Path) -> Result<()> {
    let deadline = Instant::now() + GOING;
    loop {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < deadline => {
                end_members(folder);
                sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// Who is in a cgroup that a trial made belongs to the trial.
fn end_members(folder: &Path) {
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for member in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
        // It may have ended by itself in the meantime.
        let _ = kill(Pid::from_raw(member), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let changes = [
            Change::Value { path: "/proc/sys/vm/max_map_count".into(), old: "65530".into() },
            Change::Folder { path: "/sys/fs/cgroup/pids/one".into() },
        ];
        for change in changes {
            assert_eq!(Change::parse(&change.line()), Some(change));
        }
        for odd in ["", "value\t/a", "folder\t/a\tb", "value\t/a\tb\tc", "erase\t/a"] {
            assert_eq!(Change::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn all_is_undone_from_the_last_to_the_first_also_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (file, sub) = (folder.path().join("value"), folder.path().join("sub"));
        fs::write(&file, "3").unwrap();
        fs::create_dir(&sub).unwrap();
        let value = |old: &str| Change::Value { path: file.clone(), old: old.into() };
        let gone = Change::Value { path: folder.path().join("no/file"), old: "1".into() };
        let changes = [value("1"), gone, value("2"), Change::Folder { path: sub.clone() }];
        let error = undo_all(&changes).unwrap_err().to_string();
        assert!(error.contains("could not put back 1 into"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "1");
        assert!(!sub.exists());
        assert!(changes[3].undo().is_ok(), "what is gone already is as it was");
    }
}
