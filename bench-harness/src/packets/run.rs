//! The run: its folder, and what it has so far.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::check::Check;
use super::findings;
use super::jobs::Jobs;
use super::rate::Rate;
use super::relay::Relay;
use super::stalled::Stalled;
use super::trip::Trip;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;
use crate::manifest::{Build, Manifest};
use crate::probe::host::Host;
use crate::results::{file, fresh, write};
use crate::waiting::measure::csv_of;

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
    pub path: PathBuf,
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
    pub fn create(
        root: &Path,
        binaries: &Binaries,
        pinning: &Pinning,
        rows: usize,
    ) -> Result<Self> {
        let (host, build) = (Host::look(), Build::look(binaries));
        let path = fresh(&root.join(NAME), &Manifest::run_name(&host, &build))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let models = binaries.models()?;
        let place = (build, host, pinning.clone());
        let manifest = Manifest::begin(NAME, name, rows, &models, place);
        let (rates, trips, checks) = (Vec::new(), Vec::new(), Vec::new());
        let (jobs, relays, stalls) = (Vec::new(), Vec::new(), Vec::new());
        let run = Self { path, manifest, rates, trips, checks, jobs, relays, stalls };
        run.keep()?;
        Ok(run)
    }

    /// Writes down what there is, so that a run that is cut short keeps it.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn keep(&self) -> Result<()> {
        self.table(RATES, &self.rates)?;
        self.table(TRIPS, &self.trips)?;
        self.table(CHECKS, &self.checks)?;
        self.table(JOBS, &self.jobs)?;
        self.table(RELAYS, &self.relays)?;
        self.table(STALLS, &self.stalls)?;
        let manifest = toml::to_string_pretty(&self.manifest)?;
        write(&self.path.join(file::MANIFEST), manifest.as_bytes())
    }

    fn table<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<()> {
        write(&self.path.join(name), &csv_of(rows)?)
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

    /// Makes the folder for charts.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn plots(&self) -> Result<PathBuf> {
        let folder = self.path.join(file::PLOTS);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }
}
