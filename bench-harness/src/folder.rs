//! The folder of a run, of whatever kind. It is never overwritten.
//!
//! Where a run is long, rows are appended and flushed one by one, so that one that is killed keeps
//! what it has measured. Every other file is written beside its place and renamed, so that nobody
//! ever reads half of one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::Writer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::usage;

/// The names of the files that every folder has.
pub mod file {
    /// The manifest.
    pub const MANIFEST: &str = "manifest.toml";
    /// The report.
    pub const REPORT: &str = "README.md";
    /// The folder of the figures.
    pub const PLOTS: &str = "plots";
}

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new one, `root/experiment/run`, with `-2`, `-3`, … behind it where there is one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(root: &Path, experiment: &str, run: &str) -> Result<Self> {
        Ok(Self { path: fresh(&root.join(experiment), run)? })
    }

    /// That of a run that was made.
    ///
    /// # Errors
    /// A usage error when it is no folder of a run.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join(file::MANIFEST).is_file() {
            return Ok(Self { path: path.to_owned() });
        }
        let (path, manifest) = (path.display(), file::MANIFEST);
        usage(format!("{path} is no folder of a run: it has no {manifest}"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the run: that of the folder.
    #[must_use]
    pub fn run(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
    }

    /// Keeps a file as a whole, in place of an earlier one.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn keep(&self, name: &str, contents: &[u8]) -> Result<()> {
        write(&self.path.join(name), contents)
    }

    /// Keeps the manifest, in place of an earlier one.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub fn keep_manifest(&self, manifest: &impl Serialize) -> Result<()> {
        self.keep(file::MANIFEST, toml::to_string_pretty(manifest)?.as_bytes())
    }

    /// Keeps a table as a whole, in place of an earlier one.
    ///
    /// # Errors
    /// As [`keep`](Self::keep), or when a row can't be one.
    pub fn keep_table<T: Serialize>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        let mut table = Writer::from_writer(Vec::new());
        rows.into_iter().try_for_each(|row| table.serialize(row))?;
        self.keep(name, &table.into_inner().map_err(|error| error.into_error())?)
    }

    /// Begins a table that grows row by row; there must be none.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn begin_table(&self, name: &str) -> Result<Writer<File>> {
        let path = self.path.join(name);
        let file = File::create_new(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Writer::from_writer(file))
    }

    /// Makes the folder for figures, if there is none.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn plots(&self) -> Result<PathBuf> {
        let plots = self.path.join(file::PLOTS);
        fs::create_dir_all(&plots).with_context(|| plots.display().to_string())?;
        Ok(plots)
    }

    /// Reads the manifest back.
    ///
    /// # Errors
    /// When it is of another kind of run, or another version.
    pub fn manifest<T: DeserializeOwned>(&self) -> Result<T> {
        let path = self.path.join(file::MANIFEST);
        let what = || path.display().to_string();
        toml::from_str(&fs::read_to_string(&path).with_context(what)?).with_context(what)
    }

    /// Reads a table back. A last row that was cut short, when the run was killed or the disk full,
    /// is no row.
    ///
    /// # Errors
    /// When it is not there, or has other columns.
    pub fn table<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        let path = self.path.join(name);
        let what = || path.display().to_string();
        let text = fs::read(&path).with_context(what)?;
        let end = text.iter().rposition(|octet| *octet == b'\n').map_or(0, |place| place + 1);
        let rows = csv::Reader::from_reader(&text[..end]).into_deserialize();
        rows.collect::<Result<_, _>>().with_context(what)
    }

    /// The same of a table that not every run has.
    ///
    /// # Errors
    /// When it has other columns.
    pub fn table_if_there<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        if self.path.join(name).exists() { self.table(name) } else { Ok(Vec::new()) }
    }
}

/// Makes a new folder of that name, with `-2`, `-3`, … behind it where there is one.
pub(crate) fn fresh(folder: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n: u32| format!("{name}-{n}")));
    for name in names {
        let path = folder.join(name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
        }
    }
    unreachable!("the names never end")
}

/// Writes a file beside its place and renames it.
///
/// # Errors
/// When it can't be written; the place is then as it was before, and nothing lies beside it.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // What was begun takes room that a full disk does not have.
        let _ = fs::remove_file(&beside);
    }
    placed.with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "x", "run").unwrap();
        (root, folder)
    }

    #[test]
    fn a_folder_is_never_used_twice() {
        let root = tempfile::tempdir().unwrap();
        let run = || Folder::create(root.path(), "x", "day").unwrap().run();
        assert_eq!([run(), run(), run()], ["day", "day-2", "day-3"]);
    }

    #[test]
    fn a_table_comes_back_as_it_was_whatever_is_in_it() {
        let (_root, folder) = folder();
        let rows = [("a, \"b\"".to_owned(), 1.5), ("two\nlines".to_owned(), -0.0)];
        folder.keep_table("t.csv", &rows[..0]).unwrap();
        assert_eq!(folder.table::<(String, f64)>("t.csv").unwrap(), []);
        let head = ("words".to_owned(), "number".to_owned());
        let text = rows.iter().map(|(words, number)| (words.clone(), number.to_string()));
        folder.keep_table("t.csv", [head].into_iter().chain(text)).unwrap();
        assert_eq!(folder.table::<(String, f64)>("t.csv").unwrap(), rows);
    }

    #[test]
    fn a_row_that_was_cut_short_is_no_row() {
        let (_root, folder) = folder();
        for (text, rows) in [("", 0), ("a,b\n", 0), ("a,b\n1,2\n3", 1), ("a,b\n1,2\n3,4\n5,", 2)] {
            folder.keep("t.csv", text.as_bytes()).unwrap();
            assert_eq!(folder.table::<(u8, u8)>("t.csv").unwrap().len(), rows, "{text}");
        }
        folder.keep("t.csv", b"a,b\n1\n3,4\n").unwrap();
        assert!(folder.table::<(u8, u8)>("t.csv").is_err(), "not the last one");
    }

    #[test]
    fn what_can_not_be_written_leaves_what_was_there_and_nothing_beside_it() {
        let (_root, folder) = folder();
        fs::create_dir(folder.path().join("taken")).unwrap();
        let error = folder.keep("taken", b"x").unwrap_err();
        assert!(format!("{error:#}").contains("taken"), "{error:#}");
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["taken"]);
    }

    #[test]
    fn what_has_no_manifest_is_no_run() {
        let (_root, folder) = folder();
        let words = Folder::open(folder.path()).unwrap_err().to_string();
        assert!(words.contains("manifest.toml"), "{words}");
        folder.keep_manifest(&std::collections::BTreeMap::from([("run", "x")])).unwrap();
        assert_eq!(Folder::open(folder.path()).unwrap(), folder);
    }
}
