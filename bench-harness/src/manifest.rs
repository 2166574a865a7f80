//! What a run was: enough to judge it, and to repeat it.

use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::experiment::model::Model;
use crate::launch::pinning::{Pinning, listed};
use crate::launch::process::Binaries;
use crate::probe::date;
use crate::probe::host::Host;

/// The version of the layout of a run's folder: it changes when a file or column changes its
/// meaning.
pub const SCHEMA: u32 = 2;

/// The file `manifest.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of the run: that of its folder.
    pub run: String,
    /// The experiment.
    pub experiment: String,
    /// Whether all trials were made.
    pub status: Status,
    /// When the run began, UTC.
    pub started: String,
    /// When it ended, UTC; empty while it runs.
    pub finished: String,
    /// The command line.
    pub command: Vec<String>,
    /// The seed of the order.
    pub seed: u64,
    /// How often each cell was to be measured.
    pub repeat: u32,
    /// Length of the measuring phase in milliseconds.
    pub measure_ms: u64,
    /// Length of the warm-up in milliseconds.
    pub warm_up_ms: u64,
    /// Trials that were to be made.
    pub trials: usize,
    /// Trials that have a row.
    pub done: usize,
    /// Cells left out, with the reason.
    pub skipped: Vec<String>,
    /// Limits of the host that were raised for the run, with their values.
    #[serde(default)]
    pub raised: Vec<String>,
    /// The models on offer, in the order of `servers list`.
    pub models: Vec<String>,
    /// What was measured.
    pub build: Build,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// Where.
    pub host: Host,
}

/// How the manifest of a run that has no trials begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// The name of the run: that of its folder.
    pub run: String,
    /// The experiment.
    pub experiment: String,
    /// Whether everything was measured.
    pub status: Status,
    /// When the run began, UTC.
    pub started: String,
    /// When it ended, UTC; empty while it runs.
    pub finished: String,
    /// The command line.
    pub command: Vec<String>,
}

impl Beginning {
    /// That of a run that begins now, in a folder of that name.
    #[must_use]
    pub fn now(experiment: &str, run: String) -> Self {
        Self {
            run,
            experiment: experiment.to_owned(),
            status: Status::Partial,
            started: date::instant(SystemTime::now()),
            finished: String::new(),
            command: std::env::args().collect(),
        }
    }

    /// Marks the run as over, with everything measured.
    pub fn complete(&mut self) {
        self.status = Status::Complete;
        self.finished = date::instant(SystemTime::now());
    }
}

/// What took part in a run, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What was measured.
    pub build: Build,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// Where.
    pub host: Host,
}

impl Place {
    /// This host and these programs; each of the two roles has half of the CPUs.
    ///
    /// # Errors
    /// When the kernel does not say which CPUs there are.
    pub fn look(binaries: &Binaries) -> Result<Self> {
        let (host, build) = (Host::look(), Build::look(binaries));
        Ok(Self { build, pinning: Pinning::of_this_host()?, host })
    }

    /// The name of the folder of a run: day, host and revision.
    #[must_use]
    pub fn run_name(&self) -> String {
        let safe = |text: &str| -> String {
            text.chars().filter(|c| c.is_ascii_alphanumeric() || "._".contains(*c)).collect()
        };
        let dirty = if self.build.dirty == "yes" { "_dirty" } else { "" };
        let day = date::day(SystemTime::now());
        format!("{day}-{}-{}{dirty}", safe(&self.host.name), safe(&self.build.revision))
    }

    /// Where the server ran, and when, for the line under a title; `started` is an instant.
    #[must_use]
    pub fn conditions(&self, started: &str) -> String {
        let (host, cpus) = (self.host.line(), listed(&self.pinning.server));
        format!("{host}; pinned to CPU {cpus}; {}", date::day_of(started))
    }
}

/// Whether all trials were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It runs, was interrupted, or was killed.
    Partial,
    /// Every trial has its row.
    Complete,
}

/// Versions of what took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Revision of the working tree, or `unknown`.
    pub revision: String,
    /// Whether the tree had changes that the revision does not hold: `yes`, `no` or `unknown`.
    pub dirty: String,
    /// This program.
    pub harness: String,
    /// What `servers --version` says.
    pub servers: String,
    /// What `loadgen --version` says.
    pub loadgen: String,
}

impl Build {
    /// Asks git and the binaries.
    #[must_use]
    pub fn look(binaries: &Binaries) -> Self {
        let dirty = match git(&["status", "--porcelain", "--untracked-files=no"]) {
            None => "unknown",
            Some(changes) if changes.is_empty() => "no",
            Some(_) => "yes",
        };
        Self {
            revision: git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into()),
            dirty: dirty.into(),
            harness: concat!("bench-harness ", env!("CARGO_PKG_VERSION")).into(),
            servers: Binaries::version(&binaries.servers),
            loadgen: Binaries::version(&binaries.loadgen),
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

impl Manifest {
    /// The manifest of a run that begins now in a folder of that name: one pass over its trials,
    /// with no phases and no order of its own. A run that has them says so.
    #[must_use]
    pub fn begin(
        experiment: &str,
        run: String,
        trials: usize,
        models: &[Model],
        place: Place,
    ) -> Self {
        let Place { build, pinning, host } = place;
        Self {
            schema: SCHEMA,
            run,
            experiment: experiment.to_owned(),
            status: Status::Partial,
            started: date::instant(SystemTime::now()),
            finished: String::new(),
            command: std::env::args().collect(),
            seed: 0,
            repeat: 1,
            measure_ms: 0,
            warm_up_ms: 0,
            trials,
            done: 0,
            skipped: Vec::new(),
            raised: Vec::new(),
            models: models.iter().map(|model| model.name.clone()).collect(),
            build,
            pinning,
            host,
        }
    }

    /// Where, and on which day, for the line under a title.
    #[must_use]
    pub fn conditions(&self) -> String {
        format!("{}; {}", self.host.line(), date::day_of(&self.started))
    }

    /// Marks the run as over; complete when every trial has its row.
    pub fn finish(&mut self, done: usize) {
        self.done = done;
        self.finished = date::instant(SystemTime::now());
        self.status = if done == self.trials { Status::Complete } else { Status::Partial };
    }
}
