//! The folder of a run. It is never overwritten.
//!
//! Rows are appended and flushed one by one, so that a run that is killed keeps what it has
//! measured. Every other file is written beside its place and renamed, so that nobody ever reads
//! half of one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use csv::Writer;
use serde::{Deserialize, Serialize};

use crate::experiment::load::Source;
use crate::fault::usage;
use crate::manifest::Manifest;
use crate::record::Row;
use crate::runner::Measurement;

/// The names of the files in a run's folder.
pub mod file {
    /// The manifest.
    pub const MANIFEST: &str = "manifest.toml";
    /// The experiment as it was.
    pub const EXPERIMENT: &str = "experiment.toml";
    /// A row a trial.
    pub const TRIALS: &str = "trials.csv";
    /// A histogram a trial.
    pub const HISTOGRAMS: &str = "histograms.csv";
    /// The report.
    pub const REPORT: &str = "README.md";
    /// The folder of the figures.
    pub const PLOTS: &str = "plots";
}

/// The latencies of one trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The number of the trial.
    pub trial: usize,
    /// HdrHistogram V2 with deflate, in base64; the unit is the nanosecond.
    pub latency_ns: String,
}

/// The folder of a run that is being made.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    trials: Writer<File>,
    histograms: Writer<File>,
}

impl Recorder {
    /// Makes a new folder `root/experiment/name`, with `-2`, `-3`, … behind it where there is one.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create(root: &Path, experiment: &str, name: &str) -> Result<Self> {
        let path = fresh(&root.join(experiment), name)?;
        let open = |name: &str| -> Result<Writer<File>> {
            let path = path.join(name);
            let file =
                File::create_new(&path).with_context(|| format!("making {}", path.display()))?;
            Ok(Writer::from_writer(file))
        };
        let (trials, histograms) = (open(file::TRIALS)?, open(file::HISTOGRAMS)?);
        Ok(Self { path, trials, histograms })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the run: that of the folder.
    #[must_use]
    pub fn run(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
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
        Ok(())
    }

    /// Writes the manifest anew.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        write(&self.path.join(file::MANIFEST), toml::to_string_pretty(manifest)?.as_bytes())
    }
}

fn fresh(folder: &Path, name: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n: u32| format!("{name}-{n}")));
    for name in names {
        let path = folder.join(name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
        }
    }
    unreachable!("the names never end")
}

/// Writes a file beside its place and renames it.
///
/// # Errors
/// When it can't be written; the place is then as it was before.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("writing {}", path.display()))
}

/// A run read back.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder.
    pub path: PathBuf,
    /// What it was.
    pub manifest: Manifest,
    /// What it was to find out.
    pub source: Source,
    /// What came out.
    pub rows: Vec<Row>,
    /// The latencies.
    pub histograms: Vec<Histogram>,
}

impl Run {
    /// Reads the folder of a run.
    ///
    /// # Errors
    /// A usage error when it is no such folder; otherwise what is wrong with which file.
    pub fn read(path: &Path) -> Result<Self> {
        let manifest = path.join(file::MANIFEST);
        let Ok(text) = fs::read_to_string(&manifest) else {
            return usage(format!(
                "{} is no folder of a run: it has no {}",
                path.display(),
                file::MANIFEST
            ));
        };
        let manifest: Manifest =
            toml::from_str(&text).with_context(|| manifest.display().to_string())?;
        let mut source = Source::read(&path.join(file::EXPERIMENT))?;
        source.name.clone_from(&manifest.experiment);
        Ok(Self {
            path: path.to_owned(),
            manifest,
            source,
            rows: table(&path.join(file::TRIALS))?,
            histograms: table(&path.join(file::HISTOGRAMS))?,
        })
    }
}

fn table<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    let what = || path.display().to_string();
    let mut reader = csv::Reader::from_path(path).with_context(what)?;
    reader.deserialize().collect::<Result<_, _>>().with_context(what)
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
