//! The files of a run: written beside their place, then renamed, and never over other ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{Summary, csv, json};
use crate::clock::Moment;
use crate::engine::Found;
use crate::failure::Failure;

/// A folder that has no results in it yet.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    clients: String,
}

impl Folder {
    /// Makes the folder if it is not there, and looks whether it is free.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there are results in it, [`Failure::Failed`] if it can't be made.
    pub fn reserve(path: &Path, connections: usize) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(|error| failed(path, &error))?;
        let folder =
            Self { path: path.to_owned(), clients: format!("client data - {connections}.csv") };
        let taken =
            folder.names().into_iter().map(|name| path.join(name)).find(|file| file.exists());
        taken.map_or(Ok(folder), |file| Err(occupied(&file)))
    }

    fn names(&self) -> [&str; 6] {
        let clients = self.clients.as_str();
        ["summary.json", "summary.csv", "latency.csv", "latency.hgrm", "requests.log", clients]
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all four files. `summary.json` comes last: where it is, the others are.
    ///
    /// # Errors
    /// If one can't be written, or has come into being in the meantime.
    pub fn write(&self, summary: &Summary, found: &Found) -> Result<(), Failure> {
        let table = |octets: ::csv::Result<Vec<u8>>| {
            octets.map_err(|error| Failure::Failed(format!("a table: {error}")))
        };
        self.put(&self.clients, &table(csv::clients(&found.tallies, Moment::now()))?)?;
        self.put("latency.csv", &table(csv::spectrum(&found.recorder.latency))?)?;
        self.put("summary.csv", &table(csv::summary(summary))?)?;
        self.put("summary.json", json(summary).as_bytes())
    }

    fn put(&self, name: &str, octets: &[u8]) -> Result<(), Failure> {
        let place = self.path.join(name);
        let beside = self.path.join(format!(".{name}.{}.part", std::process::id()));
        let outcome = fs::write(&beside, octets).and_then(|()| rename(&beside, &place));
        outcome.map_err(|error| {
            let _ = fs::remove_file(&beside);
            match error.kind() {
                io::ErrorKind::AlreadyExists => occupied(&place),
                _ => failed(&place, &error),
            }
        })
    }
}

/// Renames, unless there is something at that place.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

fn occupied(file: &Path) -> Failure {
    let file = file.display();
    Failure::Usage(format!(
        "{file} exists, and results are never overwritten: choose another --out"
    ))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_results_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("a/b");
        assert!(Folder::reserve(&path, 3).is_ok());
        fs::write(path.join("client data - 3.csv"), "").expect("a file");
        let failure = Folder::reserve(&path, 3).expect_err("it is taken");
        assert_eq!(failure.status(), 2);
        assert!(failure.to_string().contains("client data - 3.csv exists"), "{failure}");
        assert!(Folder::reserve(&path, 4).is_ok());
    }

    #[test]
    fn a_file_that_came_into_being_meanwhile_stays_as_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::reserve(root.path(), 1).expect("it is free");
        fs::write(root.path().join("latency.csv"), "old").expect("a file");
        assert_eq!(folder.put("latency.csv", b"new").expect_err("it is taken").status(), 2);
        assert_eq!(fs::read(root.path().join("latency.csv")).expect("a file"), b"old");
        assert_eq!(fs::read_dir(root.path()).expect("a folder").count(), 1);
    }
}
