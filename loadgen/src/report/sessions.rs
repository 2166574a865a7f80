//! What each connection did, as one table at a place that the caller chooses.

use std::fs;
use std::path::{Path, PathBuf};

use super::csv;
use super::place::{failed, occupied, put};
use crate::clock::Moment;
use crate::engine::Found;
use crate::failure::Failure;

/// A place for the table: where no file is yet.
#[derive(Debug)]
pub struct Sessions {
    place: PathBuf,
}

impl Sessions {
    /// Makes the folder around the place if it is not there, and looks whether the place is free.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is a file, [`Failure::Failed`] if the folder can't be made.
    pub fn reserve(place: &Path) -> Result<Self, Failure> {
        if place.exists() {
            return Err(occupied(place));
        }
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        }
        Ok(Self { place: place.to_owned() })
    }

    /// Writes a row for each active connection; one that failed has what it did until then.
    ///
    /// # Errors
    /// If it can't be written, or there is a file by now.
    pub fn write(&self, found: &Found) -> Result<(), Failure> {
        let end = Moment::now();
        put(&self.place, |file| Ok(csv::clients(file, &found.tallies, end)?))
    }
}
