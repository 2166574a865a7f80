//! One trial: start the server, put it under load, stop it, say what came out.
//!
//! It never fails. Whatever goes wrong becomes a row, since a hole in a table hides just what a
//! reader of the table wants to know.

use std::path::PathBuf;

use anyhow::{Error, anyhow};
use loadgen::report::{Path, Summary};

use crate::experiment::model::{AtOnce, Dependence, Model};
use crate::experiment::proxy::Proxy;
use crate::experiment::{Load, Trial};
use crate::failure::Failure;
use crate::launch::pinning::Pinning;
use crate::launch::sampler::Sample;
use crate::launch::{Behind, Count, Launcher, Left, LoadPlan, Schedule, ServerPlan, summary};
use crate::probe::quiet::Interval;
use crate::record::{Limit, Outcome, Row};
use crate::{backends, counted, judge};

/// What all trials of a run have in common.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The name of the run.
    pub run: String,
    /// The name of the experiment.
    pub experiment: String,
    /// The load.
    pub load: Load,
    /// What stands behind proxies.
    pub proxy: Proxy,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// The models on offer.
    pub models: Vec<Model>,
    /// Descriptors in a table: the hard limit of RLIMIT_NOFILE.
    pub descriptors: u64,
    /// The folder for tables of what each connection did.
    pub sessions: PathBuf,
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
    /// CPU time once a second; empty unless the experiment asks for it.
    pub samples: Vec<Sample>,
}

/// Runs a trial to its end, or to its failure.
pub fn run_trial(trial: &Trial, setting: &Setting, launcher: &mut dyn Launcher) -> Measurement {
    let mut row = Row::asked(&setting.run, &setting.experiment, trial);
    let server = server_plan(trial, setting);
    row.workers = server.workers;
    row.reconnect_every = setting.load.reconnect_every.map(Into::into);
    let interval = Interval::start();
    row.requests_each = setting.load.count_of(&trial.cell);
    let result = attempt(&server, &load_plan(trial, setting), launcher);
    let others = interval.end();
    row.host_steal_percent = others.steal_percent;
    row.host_others_cpus = others.cpus;
    match result {
        Ok((summary, left)) => {
            Measurement { samples: launcher.samples(), ..measured(row, &summary, &left, setting) }
        }
        Err((failure, error)) => failed(row, Some(failure), &error),
    }
}

/// A row for a trial that was not made.
#[must_use]
pub fn not_made(trial: &Trial, setting: &Setting, because: &str) -> Measurement {
    let row = Row::asked(&setting.run, &setting.experiment, trial);
    failed(row, None, &Error::msg(because.to_owned()))
}

fn failed(mut row: Row, failure: Option<Failure>, error: &Error) -> Measurement {
    (row.outcome, row.failure) = (Outcome::Failed, failure);
    row.error = Some(format!("{error:#}").replace('\n', "; "));
    Measurement { row, histogram: String::new(), path: Path::default(), samples: Vec::new() }
}

fn measured(mut row: Row, summary: &Summary, left: &Left, setting: &Setting) -> Measurement {
    row.take_summary(summary, &setting.pinning);
    let counters = left.counters;
    if let Some(counters) = &counters {
        row.take_counters(counters);
    }
    row.take_backends(&left.backends);
    let at_once = setting.at_once(&row.model);
    let judgement = match row.requests_each {
        None => judge::judge(summary, counters, at_once),
        Some(each) => counted::judge(summary, counters, at_once, each),
    };
    (row.outcome, row.failure, row.error) = (judgement.outcome, judgement.failure, judgement.error);
    row.limited_by = judge::limit(summary, &row, &setting.pinning);
    if row.outcome == Outcome::Ok && row.limited_by == Some(Limit::Backends) {
        row.outcome = Outcome::Invalid;
        row.error = backends::limit(&row, &setting.pinning);
    }
    let (histogram, path) = (summary.latency.histogram.clone(), summary.path.clone());
    Measurement { row, histogram, path: path.unwrap_or_default(), samples: Vec::new() }
}

fn attempt(
    server: &ServerPlan,
    load: &LoadPlan,
    launcher: &mut dyn Launcher,
) -> Result<(Summary, Left), (Failure, Error)> {
    let server = launcher
        .serve(server)
        .map_err(|error| (Failure::Start, error.context("the server did not start")))?;
    let said = launcher.load(load, &*server);
    let stopped = server.stop();
    match (said, stopped) {
        (Ok(text), Ok(left)) => {
            Ok((summary::read(&text).map_err(|error| (Failure::Load, error))?, left))
        }
        (Ok(_), Err(server)) => Err((Failure::Died, server.context("the server failed"))),
        (Err(load), Ok(_)) => Err((Failure::Load, load.context("the load generator failed"))),
        (Err(load), Err(server)) => {
            Err((Failure::Died, anyhow!("the server failed: {server:#}; and the load: {load:#}")))
        }
    }
}

impl Setting {
    /// Whether the model has a thread for each client.
    #[must_use]
    pub fn has_thread_a_client(&self, model: &str) -> bool {
        let row = self.models.iter().find(|row| row.name == model);
        row.is_some_and(|row| row.workers.kind == Dependence::PerConnection)
    }

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
    let (app, policy) = (trial.cell.app, trial.cell.policy.clone());
    let behind = app.is_proxy().then(|| Behind::new(app, &setting.proxy, policy));
    let more = behind.iter().flat_map(|_| setting.proxy.options.clone());
    let options = tables(trial, setting).into_iter().chain(more).collect();
    ServerPlan { model: trial.cell.model.clone(), app, workers, options, behind }
}

/// More descriptor tables, where one does not hold all the clients.
fn tables(trial: &Trial, setting: &Setting) -> Vec<String> {
    let model = setting.models.iter().find(|model| model.name == trial.cell.model);
    let clients = trial.cell.connections + trial.cell.idle;
    let tables = model.and_then(|model| model.tables_for(clients, setting.descriptors));
    tables.map_or_else(Vec::new, |tables| vec!["--tables".into(), tables.to_string()])
}

fn load_plan(trial: &Trial, setting: &Setting) -> LoadPlan {
    let load = &setting.load;
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
        count: count(trial, setting),
        message: load.message.clone(),
        samples: load.cpu_samples,
    }
}

/// The sessions of the first repeat are kept: a file for each model and number of clients, named as
/// the load generator names it among other files.
fn count(trial: &Trial, setting: &Setting) -> Option<Count> {
    let each = setting.load.count_of(&trial.cell)?;
    let kept = setting.load.sessions && trial.block == 1;
    let name = format!("client data - {}.csv", trial.cell.connections);
    let sessions = kept.then(|| setting.sessions.join(&trial.cell.model).join(name));
    Some(Count { each, sessions })
}

/// All models get the same times in a block, so that none has the luckier ones; the next block has
/// others.
fn schedule(trial: &Trial, load: &Load) -> Option<Schedule> {
    let (arrivals, seed) = (load.arrivals.clone(), trial.block.into());
    trial.cell.rate.map(|rate| Schedule { rate, arrivals, seed })
}
