//! One trial: start the server, put it under load, stop it, say what came out.
//!
//! It never fails. Whatever goes wrong becomes a row, since a hole in a table hides just what a
//! reader of the table wants to know.

use anyhow::{Context, Error, Result, bail};
use loadgen::report::{Path, Summary};

use crate::experiment::model::{AtOnce, Model};
use crate::experiment::{Load, Trial};
use crate::judge;
use crate::launch::pinning::Pinning;
use crate::launch::{Counters, Launcher, LoadPlan, Schedule, ServerPlan, summary};
use crate::probe::quiet::Interval;
use crate::record::{Outcome, Row};

/// What all trials of a run have in common.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The name of the run.
    pub run: String,
    /// The name of the experiment.
    pub experiment: String,
    /// The load.
    pub load: Load,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// The models on offer.
    pub models: Vec<Model>,
}

/// What came out of a trial.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The row for the record.
    pub row: Row,
    /// The latencies: an HdrHistogram V2 with deflate in base64; empty when nothing was measured.
    pub histogram: String,
    /// Where the time of requests went; empty unless the experiment asks for stamps.
    pub path: Path,
}

/// Runs a trial to its end, or to its failure.
pub fn run_trial(trial: &Trial, setting: &Setting, launcher: &mut dyn Launcher) -> Measurement {
    let mut row = Row::asked(&setting.run, &setting.experiment, trial);
    let server = server_plan(trial, setting);
    row.workers = server.workers;
    row.reconnect_every = setting.load.reconnect_every.map(Into::into);
    let interval = Interval::start();
    let result = attempt(&server, &load_plan(trial, &setting.load), launcher);
    let others = interval.end();
    row.host_steal_percent = others.steal_percent;
    row.host_others_cpus = others.cpus;
    match result {
        Ok((summary, counters)) => measured(row, &summary, counters, setting),
        Err(error) => failed(row, &error),
    }
}

/// A row for a trial that was not made.
#[must_use]
pub fn not_made(trial: &Trial, setting: &Setting, because: &str) -> Measurement {
    failed(Row::asked(&setting.run, &setting.experiment, trial), &Error::msg(because.to_owned()))
}

fn failed(mut row: Row, error: &Error) -> Measurement {
    row.outcome = Outcome::Failed;
    row.error = Some(format!("{error:#}").replace('\n', "; "));
    Measurement { row, histogram: String::new(), path: Path::default() }
}

fn measured(
    mut row: Row,
    summary: &Summary,
    counters: Option<Counters>,
    setting: &Setting,
) -> Measurement {
    row.take_summary(summary, &setting.pinning);
    if let Some(counters) = &counters {
        row.take_counters(counters);
    }
    (row.outcome, row.error) = judge::outcome(summary, counters, setting.at_once(&row.model));
    row.limited_by = judge::limit(summary, &row);
    let (histogram, path) = (summary.latency.histogram.clone(), summary.path.clone());
    Measurement { row, histogram, path: path.unwrap_or_default() }
}

fn attempt(
    server: &ServerPlan,
    load: &LoadPlan,
    launcher: &mut dyn Launcher,
) -> Result<(Summary, Option<Counters>)> {
    let server = launcher.serve(server).context("the server did not start")?;
    let said = launcher.load(load, &*server);
    let stopped = server.stop();
    match (said, stopped) {
        (Ok(text), Ok(counters)) => Ok((summary::read(&text)?, counters)),
        (Ok(_), Err(server)) => Err(server.context("the server failed")),
        (Err(load), Ok(_)) => Err(load.context("the load generator failed")),
        (Err(load), Err(server)) => bail!("the server failed: {server:#}; and the load: {load:#}"),
    }
}

impl Setting {
    fn at_once(&self, model: &str) -> AtOnce {
        let row = self.models.iter().find(|row| row.name == model);
        row.map_or(AtOnce::Unlimited, |row| row.at_once)
    }
}

/// Workers are the CPUs of the server, so that no model has more of the machine than another. Not
/// so where a worker is a client's for as long as it stays: there the number is the model's own.
fn server_plan(trial: &Trial, setting: &Setting) -> ServerPlan {
    let asked = setting.load.workers.map(Into::into);
    let cpus = u32::try_from(setting.pinning.server.len()).ok();
    let workers = match setting.at_once(&trial.cell.model) {
        AtOnce::Workers { .. } => asked,
        _ => asked.or(cpus),
    };
    ServerPlan { workers, ..ServerPlan::new(&trial.cell.model, trial.cell.app) }
}

fn load_plan(trial: &Trial, load: &Load) -> LoadPlan {
    LoadPlan {
        app: trial.cell.app,
        connections: trial.cell.connections,
        idle: trial.cell.idle,
        size: trial.cell.size,
        path: load.path.clone(),
        reconnect_every: load.reconnect_every.map(Into::into),
        warm_up: load.warm_up,
        measure: load.measure,
        timeout: load.timeout,
        schedule: schedule(trial, load),
        threads: load.threads.map(Into::into),
        stamps: load.stamps,
    }
}

/// All models get the same times in a block, so that none has the luckier ones; the next block has
/// others.
fn schedule(trial: &Trial, load: &Load) -> Option<Schedule> {
    let (arrivals, seed) = (load.arrivals.clone(), trial.block.into());
    trial.cell.rate.map(|rate| Schedule { rate, arrivals, seed })
}
