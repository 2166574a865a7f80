//! A run with what it says: enough for its charts and its page.

use anyhow::Result;

use super::findings::Findings;
use super::measure::Run;
use super::page::{self, FITS, SPREADS};
use crate::folder::Folder;
use crate::kept::Kept;
use crate::plot::{self, Drawn};
use crate::probe::host::Host;

/// A run with what it says.
#[derive(Debug)]
pub struct Analysis {
    /// The run.
    pub run: Run,
    /// What it says.
    pub findings: Findings,
}

impl Analysis {
    /// That of a run that was made.
    #[must_use]
    pub fn of(run: Run) -> Self {
        let findings = Findings::of(&run);
        Self { run, findings }
    }

    /// That of the run in a folder.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        Ok(Self::of(Run::read(folder)?))
    }

    /// Keeps the tables of what was found.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn keep(&self) -> Result<()> {
        self.run.folder.keep_table(SPREADS, &self.findings.spreads)?;
        self.run.folder.keep_table(FITS, &self.findings.fits)
    }
}

impl Kept for Analysis {
    fn folder(&self) -> &Folder {
        &self.run.folder
    }

    fn host(&self) -> &Host {
        &self.run.manifest.place.host
    }

    fn draw(&self) -> Result<Vec<Drawn>> {
        plot::balance::draw(&self.run, &self.findings)
    }

    fn page(&self, figures: &[Drawn]) -> String {
        page::page(&self.run, &self.findings, figures)
    }
}
