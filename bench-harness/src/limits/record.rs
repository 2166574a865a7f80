//! The folder of a survey. Rows are flushed one by one, so that a survey that is killed keeps what
//! it has found.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use csv::Writer;
use serde::Serialize;

use super::prediction::Prediction;
use super::report::{self, Row, StepRow};
use super::table::ladders;
use crate::folder::{Folder, file};
use crate::kept::{self, Kept};
use crate::manifest::{Manifest, Status};
use crate::plot::{self, Drawn};
use crate::probe::date;
use crate::probe::host::Host;

/// The names of the files, beside those that every run has.
pub mod name {
    /// A row a model.
    pub const LIMITS: &str = "limits.csv";
    /// A row a step.
    pub const STEPS: &str = "steps.csv";
    /// For each model, every limit that was reckoned with.
    pub const PREDICTIONS: &str = "predictions.json";
    /// The folder of all surveys.
    pub const SURVEYS: &str = "limits";
}

/// The folder of a survey that is being made.
#[derive(Debug)]
pub struct Recorder {
    folder: Folder,
    limits: Writer<File>,
    steps: Writer<File>,
    rows: Vec<Row>,
    predictions: Vec<Prediction>,
}

impl Recorder {
    /// Makes a new folder `root/limits/name`, with `-2`, `-3`, … behind it where there is one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(root: &Path, run: &str) -> Result<Self> {
        let folder = Folder::create(root, name::SURVEYS, run)?;
        let limits = folder.begin_table(name::LIMITS)?;
        let steps = folder.begin_table(name::STEPS)?;
        Ok(Self { folder, limits, steps, rows: Vec::new(), predictions: Vec::new() })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The models so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What was predicted of the models so far.
    #[must_use]
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// Adds what was predicted of a model.
    pub fn prediction(&mut self, prediction: Prediction) {
        self.predictions.push(prediction);
    }

    /// Adds a step.
    ///
    /// # Errors
    /// When the disk is full or the folder gone.
    pub fn step(&mut self, row: &StepRow) -> Result<()> {
        append(&mut self.steps, row)
    }

    /// Adds a model.
    ///
    /// # Errors
    /// The same.
    pub fn model(&mut self, row: Row) -> Result<()> {
        append(&mut self.limits, &row)?;
        self.rows.push(row);
        Ok(())
    }

    /// Draws the chart and writes the page.
    ///
    /// # Errors
    /// The same.
    pub fn publish(&self, manifest: &Manifest) -> Result<()> {
        let predictions = serde_json::to_string_pretty(&self.predictions)?;
        self.folder.keep(name::PREDICTIONS, predictions.as_bytes())?;
        let (folder, manifest) = (self.folder.clone(), manifest.clone());
        let (rows, predictions) = (self.rows.clone(), self.predictions.clone());
        kept::publish(&Survey { folder, manifest, rows, predictions }).map(drop)
    }
}

/// A survey that is on disk.
#[derive(Debug)]
pub struct Survey {
    folder: Folder,
    manifest: Manifest,
    rows: Vec<Row>,
    predictions: Vec<Prediction>,
}

impl Survey {
    /// Reads the survey in a folder. One that was killed has no predictions.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(folder: Folder) -> Result<Self> {
        let path = folder.path().join(name::PREDICTIONS);
        let what = || path.display().to_string();
        let predictions = match path.exists() {
            true => {
                serde_json::from_slice(&fs::read(&path).with_context(what)?).with_context(what)?
            }
            false => Vec::new(),
        };
        let (manifest, rows) = (folder.manifest()?, folder.table(name::LIMITS)?);
        Ok(Self { folder, manifest, rows, predictions })
    }
}

impl Kept for Survey {
    fn folder(&self) -> &Folder {
        &self.folder
    }

    fn host(&self) -> &Host {
        &self.manifest.host
    }

    fn draw(&self) -> Result<Vec<Drawn>> {
        let conditions = conditions(&self.manifest, &self.rows);
        Ok(vec![plot::limits::draw(&self.folder, &self.rows, &conditions)?])
    }

    fn page(&self, _: &[Drawn]) -> String {
        let conditions = conditions(&self.manifest, &self.rows);
        page(&self.manifest, &self.rows, &self.predictions, &conditions)
    }
}

fn append(table: &mut Writer<File>, row: &impl Serialize) -> Result<()> {
    table.serialize(row).and_then(|()| Ok(table.flush()?)).context("writing a row")
}

fn conditions(manifest: &Manifest, rows: &[Row]) -> String {
    let day = date::day_of(&manifest.started);
    let under = rows.first().map_or("", |row| row.under.as_str());
    let under = if under.is_empty() { String::new() } else { format!("; under {under}") };
    format!("{}{under}; {day}", manifest.host.line())
}

fn page(manifest: &Manifest, rows: &[Row], predictions: &[Prediction], conditions: &str) -> String {
    let mut text =
        format!("# How many clients each model serves\n\n{}.\n\n", report::finding(rows));
    if manifest.status == Status::Partial {
        let (done, all) = (manifest.done, manifest.trials);
        let _ = writeln!(text, "**This survey was interrupted: {done} of {all} models.**\n");
    }
    text += &report::markdown(rows);
    text += "\n## What would stop it next\n\n";
    let _ = writeln!(text, "```text\n{}```", ladders(predictions));
    let _ = writeln!(
        text,
        "\n![Predicted and measured clients of each model]({}/limits.svg)\n\n\
         A client is served when it is connected together with all others and has its correct \
         answer. Each step has a fresh server; [{}]({}) has all of them. A search ends when success \
         and failure are as close as it was asked for (`--grain`), and the measured number is that \
         of the success: the limit lies from there up to the failure. {conditions}.\n\n\
         Again: `{}`",
        file::PLOTS,
        name::STEPS,
        name::STEPS,
        manifest.command.join(" "),
    );
    text
}
