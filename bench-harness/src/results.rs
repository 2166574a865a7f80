//! What a run of trials leaves in its folder, and that read back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::Writer;
use loadgen::report::Band;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::experiment::load::Source;
use crate::folder::{Folder, fresh};
use crate::kept::Kept;
use crate::launch::sampler::Sample;
use crate::manifest::Manifest;
use crate::plot::{self, Drawn};
use crate::probe::host::Host;
use crate::record::Row;
use crate::report::markdown;
use crate::runner::Measurement;

/// The names of the files in a run's folder.
pub mod file {
    pub use crate::folder::file::{MANIFEST, PLOTS, REPORT};
    /// The experiment as it was.
    pub const EXPERIMENT: &str = "experiment.toml";
    /// A row a trial.
    pub const TRIALS: &str = "trials.csv";
    /// A histogram a trial.
    pub const HISTOGRAMS: &str = "histograms.csv";
    /// CPU time once a second, if the experiment asks for it.
    pub const SAMPLES: &str = "samples.csv";
    /// Where the time of requests went, if the kernel was asked.
    pub const PATH: &str = "path.csv";
    /// What `loadgen calibrate` found, if it was made.
    pub const CALIBRATION: &str = "calibration.json";
    /// The folder of tables of what each connection did, a folder a model, if they are kept.
    pub const SESSIONS: &str = "sessions";
}

/// The latencies of one trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The number of the trial.
    pub trial: usize,
    /// HdrHistogram V2 with deflate, in base64; the unit is the nanosecond.
    pub latency_ns: String,
}

/// Requests of one trial with about the same response time, and the sums of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The number of the trial.
    pub trial: usize,
    /// The place of the band among all; the next one has longer response times.
    pub band: usize,
    /// Requests.
    pub count: u64,
    /// From when they were to be sent to when they were sent.
    pub wait_ns: u64,
    /// From there to when they left the kernel.
    pub send_ns: u64,
    /// From there to when the kernel had the reply.
    pub away_ns: u64,
    /// From there to when the reply had been read.
    pub read_ns: u64,
}

impl Way {
    fn new(trial: usize, band: usize, of: &Band) -> Self {
        let Band { count, wait_ns, send_ns, away_ns, read_ns } = *of;
        Self { trial, band, count, wait_ns, send_ns, away_ns, read_ns }
    }
}

/// The CPU time of one process in one second of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// The number of the trial.
    pub trial: usize,
    /// Seconds since the load generator was started.
    pub at_s: f64,
    /// `server`, `backend-1`, `loadgen`, or `host` for everything that runs on it.
    pub process: String,
    /// CPU time over elapsed time: 1 is a whole CPU.
    pub cpus: f64,
}

/// The folder of a run that is being made.
#[derive(Debug)]
pub struct Recorder {
    folder: Folder,
    trials: Writer<File>,
    histograms: Writer<File>,
    /// Made when the first trial with stamps is added.
    ways: Option<Writer<File>>,
    /// Made when the first trial with samples is added.
    samples: Option<Writer<File>>,
}

impl Recorder {
    /// Makes a new folder `root/experiment/name`, with `-2`, `-3`, … behind it where there is one.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create(root: &Path, experiment: &str, name: &str) -> Result<Self> {
        let folder = Folder::create(root, experiment, name)?;
        let trials = folder.begin_table(file::TRIALS)?;
        let histograms = folder.begin_table(file::HISTOGRAMS)?;
        Ok(Self { folder, trials, histograms, ways: None, samples: None })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of the run: that of the folder.
    #[must_use]
    pub fn run(&self) -> String {
        self.folder.run()
    }

    /// Adds a trial; when this returns, the row is in the file.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn append(&mut self, measurement: &Measurement) -> Result<()> {
        self.trials.serialize(&measurement.row).context("writing a row")?;
        self.trials.flush().context("writing a row")?;
        if !measurement.histogram.is_empty() {
            let latency_ns = measurement.histogram.clone();
            let histogram = Histogram { trial: measurement.row.trial, latency_ns };
            self.histograms.serialize(histogram).context("writing a histogram")?;
            self.histograms.flush().context("writing a histogram")?;
        }
        self.append_ways(measurement)?;
        self.append_samples(measurement)
    }

    fn append_samples(&mut self, measurement: &Measurement) -> Result<()> {
        if measurement.samples.is_empty() {
            return Ok(());
        }
        let table = match self.samples.take() {
            Some(table) => table,
            None => self.folder.begin_table(file::SAMPLES)?,
        };
        let table = self.samples.insert(table);
        for Sample { at_s, process, cpus } in measurement.samples.clone() {
            let second = Second { trial: measurement.row.trial, at_s, process, cpus };
            table.serialize(second).context("writing a sample")?;
        }
        table.flush().context("writing a sample")
    }

    fn append_ways(&mut self, measurement: &Measurement) -> Result<()> {
        let filled = |(_, band): &(usize, &Band)| band.count > 0;
        let mut bands = measurement.path.bands.iter().enumerate().filter(filled).peekable();
        if bands.peek().is_none() {
            return Ok(());
        }
        let table = match self.ways.take() {
            Some(table) => table,
            None => self.folder.begin_table(file::PATH)?,
        };
        let table = self.ways.insert(table);
        for (number, band) in bands {
            let way = Way::new(measurement.row.trial, number, band);
            table.serialize(way).context("writing the way of requests")?;
        }
        table.flush().context("writing the way of requests")
    }

    /// Writes the manifest anew.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        self.folder.keep_manifest(manifest)
    }
}

/// A run read back.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder.
    pub folder: Folder,
    /// What it was.
    pub manifest: Manifest,
    /// What it was to find out.
    pub source: Source,
    /// What came out.
    pub rows: Vec<Row>,
    /// The latencies.
    pub histograms: Vec<Histogram>,
    /// Where the time went; empty if the kernel was not asked.
    pub ways: Vec<Way>,
    /// What the load generator adds to times on this host, if that is known.
    pub calibration: Option<Calibration>,
}

impl Run {
    /// Reads the folder of a run.
    ///
    /// # Errors
    /// A usage error when it is no such folder; otherwise what is wrong with which file.
    pub fn read(path: &Path) -> Result<Self> {
        let folder = Folder::open(path)?;
        let manifest: Manifest = folder.manifest()?;
        let mut source = Source::read(&path.join(file::EXPERIMENT))?;
        source.name.clone_from(&manifest.experiment);
        Ok(Self {
            manifest,
            source,
            rows: folder.table(file::TRIALS)?,
            histograms: folder.table(file::HISTOGRAMS)?,
            ways: folder.table_if_there(file::PATH)?,
            calibration: if_there(&path.join(file::CALIBRATION), Calibration::read)?,
            folder,
        })
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
        plot::draw_all(self)
    }

    fn page(&self, figures: &[Drawn]) -> String {
        markdown::page(self, figures)
    }
}

/// Reads a file that not every run has.
fn if_there<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
    path.exists().then(|| read(path)).transpose()
}

/// A folder for short-lived files, gone when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one within the folder for temporary files.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> Result<Self> {
        let name = format!("bench-harness-{}", std::process::id());
        Ok(Self(fresh(&std::env::temp_dir(), &name)?))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
