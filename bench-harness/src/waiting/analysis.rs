//! A run with what it says: enough for its charts and its page.

use anyhow::Result;

use super::findings::Findings;
use super::measure::{FIT, Run};
use super::{fit, page};
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
        let findings = Findings::of(&run.rows, run.manifest.seed);
        Self { run, findings }
    }

    /// That of the run in a folder.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        Ok(Self::of(Run::read(folder)?))
    }

    /// Keeps the table of what was fitted.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn keep(&self) -> Result<()> {
        self.run.folder.keep_table(FIT, self.findings.fits.iter().flat_map(fit::lines))
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
        plot::waiting::draw(&self.run, &self.findings)
    }

    fn page(&self, figures: &[Drawn]) -> String {
        page::page(&self.run, &self.findings, figures)
    }
}
