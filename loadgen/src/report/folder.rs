//! The folder with the files of a run. None of them is ever written over another one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::place::{failed, occupied, put};
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
        let end = Moment::now();
        put(&self.path.join(&self.clients), |file| Ok(csv::clients(file, &found.tallies, end)?))?;
        self.put("latency.csv", &table(csv::spectrum(&found.recorder.latency))?)?;
        self.put("summary.csv", &table(csv::summary(summary))?)?;
        self.put("summary.json", json(summary).as_bytes())
    }

    fn put(&self, name: &str, octets: &[u8]) -> Result<(), Failure> {
        put(&self.path.join(name), |file| file.write_all(octets))
    }
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
