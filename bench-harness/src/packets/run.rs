//! The run: its folder, and what it has so far.

use std::path::Path;

use anyhow::Result;

use super::check::Check;
use super::jobs::Jobs;
use super::rate::Rate;
use super::relay::Relay;
use super::stalled::Stalled;
use super::trip::Trip;
use super::{findings, page};
use crate::folder::Folder;
use crate::kept::Kept;
use crate::launch::process::Binaries;
use crate::manifest::{Manifest, Place};
use crate::plot::{self, Drawn};
use crate::probe::host::Host;

/// The name of the experiment, and of its folder.
pub const NAME: &str = "packets";
/// A row a way of receiving, generator and pass.
pub const RATES: &str = "rates.csv";
/// A row a way of sending datagrams back and pass.
pub const TRIPS: &str = "trips.csv";
/// A row a statement.
pub const CHECKS: &str = "checks.csv";
/// A row a balancer of jobs.
pub const JOBS: &str = "jobs.csv";
/// A row a way of relaying, load and pass.
pub const RELAYS: &str = "relays.csv";
/// A row a way of relaying to a receiver that does not read.
pub const STALLS: &str = "stalls.csv";

/// A run.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub folder: Folder,
    /// What it is.
    pub manifest: Manifest,
    /// How many packets.
    pub rates: Vec<Rate>,
    /// How long under way.
    pub trips: Vec<Trip>,
    /// Whether all is right.
    pub checks: Vec<Check>,
    /// Jobs done.
    pub jobs: Vec<Jobs>,
    /// Octets relayed.
    pub relays: Vec<Relay>,
    /// Octets taken in vain.
    pub stalls: Vec<Stalled>,
}

impl Run {
    /// Makes the folder of a new run that is to have so many rows.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(root: &Path, binaries: &Binaries, rows: usize) -> Result<Self> {
        let (place, models) = (Place::look(binaries)?, binaries.models()?);
        let folder = Folder::create(root, NAME, &place.run_name())?;
        let manifest = Manifest::begin(NAME, folder.run(), rows, &models, place);
        let (rates, trips, checks) = (Vec::new(), Vec::new(), Vec::new());
        let (jobs, relays, stalls) = (Vec::new(), Vec::new(), Vec::new());
        let run = Self { folder, manifest, rates, trips, checks, jobs, relays, stalls };
        run.keep()?;
        Ok(run)
    }

    /// Reads the run in a folder.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        Ok(Self {
            manifest: folder.manifest()?,
            rates: folder.table(RATES)?,
            trips: folder.table(TRIPS)?,
            checks: folder.table(CHECKS)?,
            jobs: folder.table(JOBS)?,
            relays: folder.table_if_there(RELAYS)?,
            stalls: folder.table_if_there(STALLS)?,
            folder,
        })
    }

    /// Writes down what there is, so that a run that is cut short keeps it.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn keep(&self) -> Result<()> {
        self.folder.keep_table(RATES, &self.rates)?;
        self.folder.keep_table(TRIPS, &self.trips)?;
        self.folder.keep_table(CHECKS, &self.checks)?;
        self.folder.keep_table(JOBS, &self.jobs)?;
        self.folder.keep_table(RELAYS, &self.relays)?;
        self.folder.keep_table(STALLS, &self.stalls)?;
        self.folder.keep_manifest(&self.manifest)
    }

    /// Judges the rows and marks the run as over.
    ///
    /// # Errors
    /// As [`Run::keep`].
    pub fn finish(&mut self) -> Result<()> {
        findings::judge(&mut self.rates);
        self.manifest.finish(self.rows());
        self.keep()
    }

    /// How many rows there are; statements are not counted, since one trial makes several.
    fn rows(&self) -> usize {
        let relayed = self.relays.len() + self.stalls.len();
        self.rates.len() + self.trips.len() + self.jobs.len() + relayed
    }
}

impl Kept for Run {
    fn folder(&self) -> &Folder {
        &self.folder
    }

    fn host(&self) -> &Host {
        &self.manifest.host
    }

    fn draw(&self) -> Result<Vec<Drawn>> {
        plot::packets::draw(self)
    }

    fn page(&self, figures: &[Drawn]) -> String {
        page::page(self, figures)
    }
}
