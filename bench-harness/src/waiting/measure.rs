//! The run: a process a poller, one after the other, and the folder that keeps what they print.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::grid::Grid;
use super::row::{self, Row};
use crate::fault::usage;
use crate::interrupt;
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;
use crate::manifest::{Build, Manifest as Trials, Status};
use crate::probe::date;
use crate::probe::host::Host;
use crate::probe::quiet::{DISTURBANCE, Interval};
use crate::results::{file, fresh, write};

/// The name of the experiment, and of its folder.
pub const NAME: &str = "waiting";
/// What was measured.
pub const WAITS: &str = "waits.csv";
/// What was fitted.
pub const FIT: &str = "fit.csv";

/// The file `manifest.toml`.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The name of the run: that of its folder.
    pub run: String,
    /// [`NAME`].
    pub experiment: &'static str,
    /// Whether all pollers were measured.
    pub status: Status,
    /// When the run began, UTC.
    pub started: String,
    /// When it ended, UTC; empty while it runs.
    pub finished: String,
    /// The command line.
    pub command: Vec<String>,
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
    /// What was measured.
    pub build: Build,
    /// The CPUs; the pollers ran on the server's.
    pub pinning: Pinning,
    /// Where.
    pub host: Host,
}

/// The run and what it has so far.
#[derive(Debug)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// What it is.
    pub manifest: Manifest,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// The pollers on offer.
///
/// # Errors
/// When the servers do not tell.
pub fn on_offer(binaries: &Binaries) -> Result<Vec<String>> {
    let line = ["time-waits", "--list"].map(ToOwned::to_owned);
    let patience = std::time::Duration::from_secs(10);
    let cpus = Pinning::of_this_host()?.server;
    let text = Child::start(&binaries.servers, &line, &cpus)?.finish(patience)?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// Those of them that are asked for; all, if none is.
///
/// # Errors
/// A usage error with the names when one is not on offer.
pub fn chosen(asked: &[String], on_offer: Vec<String>) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !on_offer.contains(name)) {
        return usage(format!("no poller {unknown}; there are {}", on_offer.join(", ")));
    }
    if asked.is_empty() {
        return Ok(on_offer);
    }
    Ok(on_offer.into_iter().filter(|name| asked.contains(name)).collect())
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
        let (host, build) = (Host::look(), Build::look(binaries));
        let path = fresh(&root.join(NAME), &Trials::run_name(&host, &build))?;
        let manifest = Manifest {
            run: path.file_name().unwrap_or_default().to_string_lossy().into(),
            experiment: NAME,
            status: Status::Partial,
            started: date::instant(SystemTime::now()),
            finished: String::new(),
            command: std::env::args().collect(),
            seed,
            pollers,
            models: binaries.models()?.into_iter().map(|model| model.name).collect(),
            idle: grid.idle.clone(),
            active: grid.active.clone(),
            passes: grid.passes,
            rounds: grid.rounds,
            budget_ms: u64::try_from(grid.budget.as_millis())?,
            disturbed: Vec::new(),
            build,
            pinning: Pinning::of_this_host()?,
            host,
        };
        let run = Self { path, manifest, rows: Vec::new() };
        run.keep()?;
        Ok(run)
    }

    /// Measures all pollers, and keeps what there is after each.
    ///
    /// # Errors
    /// When one fails, or the user interrupts: what was measured before is kept.
    pub fn measure(&mut self, binaries: &Binaries, grid: &Grid) -> Result<()> {
        let pollers = self.manifest.pollers.clone();
        for (number, poller) in (1..).zip(&pollers) {
            eprintln!("[{number}/{}] {poller}", pollers.len());
            let measured = self.one(binaries, grid, poller);
            if interrupt::requested() {
                bail!("interrupted at {poller}; the rest is in {}", self.path.display());
            }
            self.rows.extend(measured.with_context(|| format!("timing the waits of {poller}"))?);
            self.keep()?;
        }
        self.manifest.status = Status::Complete;
        self.manifest.finished = date::instant(SystemTime::now());
        self.keep()
    }

    fn one(&mut self, binaries: &Binaries, grid: &Grid, poller: &str) -> Result<Vec<Row>> {
        let interval = Interval::start();
        let line = grid.arguments(poller, self.manifest.seed);
        let mut child = Child::start(&binaries.servers, &line, &self.manifest.pinning.server)?;
        let text = child.finish(grid.patience())?;
        drop(child);
        if let Some(cpus) = interval.end().cpus.filter(|cpus| *cpus >= DISTURBANCE) {
            self.manifest.disturbed.push(format!("{poller}: {cpus:.2} CPUs"));
        }
        row::parse(&text)
    }

    fn keep(&self) -> Result<()> {
        write(&self.path.join(WAITS), &csv_of(&self.rows)?)?;
        let manifest = toml::to_string_pretty(&self.manifest)?;
        write(&self.path.join(file::MANIFEST), manifest.as_bytes())
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

/// A table with a head.
///
/// # Errors
/// When a row can't be one.
pub fn csv_of<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    rows.into_iter().try_for_each(|row| table.serialize(row))?;
    Ok(table.into_inner().map_err(|error| error.into_error())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pollers_keep_the_order_of_the_offer_and_unknown_ones_are_named() {
        let offer = || ["select", "poll", "epoll-edge"].map(String::from).to_vec();
        let asked = ["epoll-edge", "select"].map(String::from);
        assert_eq!(chosen(&asked, offer()).unwrap(), ["select", "epoll-edge"]);
        assert_eq!(chosen(&[], offer()).unwrap(), offer());
        let words = chosen(&["kqueue".into()], offer()).unwrap_err().to_string();
        assert!(words.contains("kqueue") && words.contains("epoll-edge"), "{words}");
    }
}
