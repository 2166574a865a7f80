//! A file that is written beside its place and takes it when it is whole, never over another one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::failure::Failure;

/// A file on its way. Dropped before [`settle`](Self::settle), it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    file: BufWriter<File>,
    beside: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Begins a file that is to be at `place`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is one already, [`Failure::Failed`] if it can't be made.
    pub fn create(place: &Path) -> Result<Self, Failure> {
        if place.exists() {
            return Err(occupied(place));
        }
        let beside = beside(place);
        let file = File::create(&beside).map_err(|error| failed(&beside, &error))?;
        Ok(Self::over(file, place))
    }

    pub(super) fn over(file: File, place: &Path) -> Self {
        let (file, beside) = (BufWriter::new(file), beside(place));
        Self { file, beside, place: place.to_owned() }
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    /// [`Failure::Usage`] if something has come there meanwhile, [`Failure::Failed`] if not
    /// everything could be written.
    pub fn settle(mut self) -> Result<(), Failure> {
        let settled = self.file.flush().and_then(|()| rename(&self.beside, &self.place));
        settled.map_err(|error| self.failure(&error))
    }

    /// What an error while writing means to the user.
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::AlreadyExists => occupied(&self.place),
            _ => failed(&self.place, error),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already, if the file is in its place.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Writes a whole file.
///
/// # Errors
/// As those of [`Draft`].
pub fn write_file(place: &Path, octets: &[u8]) -> Result<(), Failure> {
    let mut draft = Draft::create(place)?;
    draft.write_all(octets).map_err(|error| draft.failure(&error))?;
    draft.settle()
}

fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

/// Renames, unless there is something at that place.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

fn occupied(place: &Path) -> Failure {
    let place = place.display();
    Failure::Usage(format!(
        "{place} exists, and results are never overwritten: choose another --out"
    ))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a.log");
        let mut draft = Draft::create(&place).expect("a draft");
        draft.write_all(b"whole").expect("room");
        assert!(!place.exists());
        draft.settle().expect("a free place");
        assert_eq!(fs::read(&place).expect("a file"), b"whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a.log");
        let draft = Draft::create(&place).expect("a draft");
        fs::write(&place, "old").expect("a file");
        assert_eq!(draft.settle().expect_err("it is taken").status(), 2);
        assert_eq!(Draft::create(&place).expect_err("it is taken").status(), 2);
        assert_eq!(fs::read(&place).expect("a file"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = File::options().write(true).open("/dev/full").expect("every Linux has it");
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a.log");
        let mut draft = Draft::over(full, &place);
        draft.write_all(b"a few octets").expect("the buffer has room");
        let failure = draft.settle().expect_err("the disk is full");
        assert!(failure.to_string().contains("a.log: No space left"), "{failure}");
        assert!(!place.exists());
    }
}
