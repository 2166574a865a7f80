//! The run: a process a poller, one after the other, and the folder that keeps what they print.

use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::row::{self, Row};
use crate::folder::Folder;
use crate::interrupt;
use crate::launch::child::Child;
use crate::launch::process::Binaries;
use crate::manifest::{Beginning, Place};
use crate::probe::quiet::Interval;

/// The name of the experiment, and of its folder.
pub const NAME: &str = "waiting";
/// What was measured.
pub const WAITS: &str = "waits.csv";
/// What was fitted.
pub const FIT: &str = "fit.csv";

/// The file `manifest.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Complete when all pollers were measured.
    #[serde(flatten)]
    pub beginning: Beginning,
    /// The seed of the orders and of the bootstrap.
    pub seed: u64,
    /// The pollers that were to be measured.
    pub pollers: Vec<String>,
    /// All models on offer, in the order of `servers list`, which colours come from.
    pub models: Vec<String>,
    /// Idle connections.
    pub idle: Vec<usize>,
    /// Active connections.
    pub active: Vec<usize>,
    /// How often all conditions were gone through.
    pub passes: u32,
    /// Waits for each condition and pass, at most.
    pub rounds: u32,
    /// Time for each condition and pass, in milliseconds.
    pub budget_ms: u64,
    /// Pollers during which other programs used the CPUs, with how many CPUs they used.
    pub disturbed: Vec<String>,
    /// Where; the pollers ran on the server's CPUs.
    #[serde(flatten)]
    pub place: Place,
}

/// The run and what it has so far.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub folder: Folder,
    /// What it is.
    pub manifest: Manifest,
    /// What was measured.
    pub rows: Vec<Row>,
}

impl Run {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(
        root: &Path,
        binaries: &Binaries,
        pollers: Vec<String>,
        grid: &Grid,
        seed: u64,
    ) -> Result<Self> {
        let place = Place::look(binaries)?;
        let folder = Folder::create(root, NAME, &place.run_name())?;
        let manifest = Manifest {
            beginning: Beginning::now(NAME, folder.run()),
            seed,
            pollers,
            models: binaries.models()?.into_iter().map(|model| model.name).collect(),
            idle: grid.idle.clone(),
            active: grid.active.clone(),
            passes: grid.passes,
            rounds: grid.rounds,
            budget_ms: u64::try_from(grid.budget.as_millis())?,
            disturbed: Vec::new(),
            place,
        };
        let run = Self { folder, manifest, rows: Vec::new() };
        run.keep()?;
        Ok(run)
    }

    /// Reads the run in a folder.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        Ok(Self { manifest: folder.manifest()?, rows: folder.table(WAITS)?, folder })
    }

    /// Measures all pollers, and keeps what there is after each. One that fails is a row, too.
    ///
    /// # Errors
    /// When the user interrupts, or the disk is full: what was measured before is kept.
    pub fn measure(&mut self, binaries: &Binaries, grid: &Grid) -> Result<()> {
        let pollers = self.manifest.pollers.clone();
        for (number, poller) in (1..).zip(&pollers) {
            eprintln!("[{number}/{}] {poller}", pollers.len());
            let measured = self.one(binaries, grid, poller);
            if interrupt::requested() {
                bail!("interrupted at {poller}; the rest is in {}", self.folder.path().display());
            }
            self.rows.extend(measured.unwrap_or_else(|error| {
                eprintln!("{poller} could not be timed: {error:#}");
                vec![Row::failed(poller, &error)]
            }));
            self.keep()?;
        }
        self.manifest.beginning.complete();
        self.keep()
    }

    fn one(&mut self, binaries: &Binaries, grid: &Grid, poller: &str) -> Result<Vec<Row>> {
        let interval = Interval::start();
        let line = grid.arguments(poller, self.manifest.seed);
        let mut child =
            Child::start(&binaries.servers, &line, &self.manifest.place.pinning.server)?;
        let text = child.finish(grid.patience())?;
        drop(child);
        if let Some(cpus) = interval.end().disturbance() {
            self.manifest.disturbed.push(format!("{poller}: {cpus:.2} CPUs"));
        }
        row::parse(&text)
    }

    fn keep(&self) -> Result<()> {
        self.folder.keep_table(WAITS, &self.rows)?;
        self.folder.keep_manifest(&self.manifest)
    }
}
