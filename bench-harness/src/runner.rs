//! One trial: start the server, put it under load, stop it, say what came out.
//!
//! It never fails. Whatever goes wrong becomes a row, since a hole in a table hides just what a
//! reader of the table wants to know.

use anyhow::{Context, Error, Result, bail};
use loadgen::report::Summary;

use crate::experiment::model::{AtOnce, Model};
use crate::experiment::{Load, Trial};
use crate::launch::pinning::Pinning;
use crate::launch::{Counters, Launcher, LoadPlan, ServerPlan};
use crate::probe::quiet::Interval;
use crate::record::{Limit, Outcome, Row};

/// From this share on, the load generator's CPU counts as used up.
const CLIENT_BUSY: f64 = 0.95;

/// From this share on, the server's CPUs count as used up.
const SERVER_BUSY: f64 = 0.90;

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
    Measurement { row, histogram: String::new() }
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
    (row.outcome, row.error) = judge(summary, counters, setting.at_once(&row.model));
    row.limited_by = limit(&row);
    Measurement { row, histogram: summary.latency.histogram.clone() }
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
        (Ok(text), Ok(counters)) => {
            let summary = serde_json::from_str(&text)
                .with_context(|| format!("no summary from loadgen but `{}`", beginning(&text)))?;
            Ok((summary, counters))
        }
        (Ok(_), Err(server)) => Err(server.context("the server failed")),
        (Err(load), Ok(_)) => Err(load.context("the load generator failed")),
        (Err(load), Err(server)) => bail!("the server failed: {server:#}; and the load: {load:#}"),
    }
}

fn beginning(text: &str) -> String {
    text.trim().chars().take(60).collect()
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
    ServerPlan { model: trial.cell.model.clone(), app: trial.cell.app, workers }
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
    }
}

/// What the numbers are worth, and why.
fn judge(
    summary: &Summary,
    counters: Option<Counters>,
    at_once: AtOnce,
) -> (Outcome, Option<String>) {
    let Summary { connections, errors, requests, .. } = summary;
    let unserved = connections.asked.saturating_sub(connections.served);
    let refused = counters.map_or(0, |counters| counters.refused);
    let before = &summary.errors_before;
    if errors.mismatch + errors.status + before.mismatch + before.status > 0 {
        return (Outcome::Failed, Some(format!("wrong answers: {}", classes(summary))));
    }
    if requests.answered == 0 {
        return (Outcome::Failed, Some(format!("no answer: {}", classes(summary))));
    }
    let served = format!("{} of {} clients served", connections.served, connections.asked);
    if at_once.refuses() && refused > 0 {
        (Outcome::Refused, Some(format!("{served}; {refused} turned away")))
    } else if at_once.starves() && unserved > 0 {
        (Outcome::Starved, Some(served))
    } else if errors.total() + before.total() > 0 {
        (Outcome::Errors, Some(format!("{served}; {}", classes(summary))))
    } else if unserved > 0 {
        (Outcome::Unfair, Some(served))
    } else {
        (Outcome::Ok, None)
    }
}

/// The classes of errors that occurred, with their counts.
fn classes(summary: &Summary) -> String {
    let mut e = summary.errors;
    e.merge(&summary.errors_before);
    let all = [
        ("connect", e.connect),
        ("read", e.read),
        ("write", e.write),
        ("reset", e.reset),
        ("closed", e.closed),
        ("timeout", e.timeout),
        ("status", e.status),
        ("mismatch", e.mismatch),
    ];
    let occurred = all.iter().filter(|(_, count)| *count > 0);
    let words: Vec<_> = occurred.map(|(class, count)| format!("{class} {count}")).collect();
    if words.is_empty() { "no errors".into() } else { words.join(", ") }
}

fn limit(row: &Row) -> Option<Limit> {
    let client = row.client_cpu_share? >= CLIENT_BUSY;
    let server = row.server_cpu_share? >= SERVER_BUSY;
    Some(match (server, client) {
        (true, true) => Limit::Both,
        (true, false) => Limit::Server,
        (false, true) => Limit::Client,
        (false, false) => Limit::Neither,
    })
}
