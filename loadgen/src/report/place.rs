//! One file of a run: written beside its place, then renamed, and never over another one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::failure::Failure;

/// Lets `fill` write a file beside its place, and renames it when all of it is there.
///
/// # Errors
/// [`Failure::Usage`] if there is a file by now, [`Failure::Failed`] if it can't be written.
pub(super) fn put(
    place: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let beside = place.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&beside).and_then(|file| {
        let mut file = BufWriter::new(file);
        fill(&mut file)?;
        file.flush()
    });
    written.and_then(|()| rename(&beside, place)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        match error.kind() {
            io::ErrorKind::AlreadyExists => occupied(place),
            _ => failed(place, &error),
        }
    })
}

/// Renames, unless there is something at that place.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

pub(super) fn occupied(place: &Path) -> Failure {
    let place = place.display();
    Failure::Usage(format!("{place} exists, and results are never overwritten: name another place"))
}

pub(super) fn failed(place: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", place.display()))
}
