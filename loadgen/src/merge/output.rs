//! The result of a merge, and its files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::agent_log::AgentLog;
use super::deviation::{Deviation, deviations};
use super::roster::{MERGED, Roster};
use super::union::{Window, by_second, rate, union, window};
use crate::agent::Workload;
use crate::failure::Failure;
use crate::records::figures::Distribution;
use crate::records::{
    IntervalLog, Origin, Quantile, Series, Tag, percentiles, quantile, quantiles, write_file,
};
use crate::report::Requests;

/// The version of the layout of merge.json.
const SCHEMA: u32 = 1;

/// The percentile that the tail begins at.
const TAIL: f64 = 0.99;

/// What the logs of a run say together.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Merged {
    pub(super) schema: u32,
    /// The version of the load generator that merged.
    pub(super) version: String,
    /// How many agents there were to be.
    pub(super) size: u32,
    /// Those without a log.
    pub(super) missing: Vec<u32>,
    #[serde(flatten)]
    pub(super) workload: Workload,
    /// When all were at work.
    pub(super) window: Option<Window>,
    /// Requests of all agents.
    pub(super) requests: Requests,
    /// Answers of all agents, a second of the window.
    pub(super) rate_found: f64,
    /// The union, by series. Response times know of the requests without an answer.
    pub(super) times: BTreeMap<&'static str, Distribution>,
    pub(super) agents: Vec<Agent>,
    pub(super) deviations: Vec<Deviation>,
    pub(super) damage: Vec<String>,
}

/// What the log of one agent says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Agent {
    pub(super) rank: u32,
    pub(super) file: String,
    pub(super) host: String,
    /// When it began to measure, in seconds since the Unix epoch.
    pub(super) start: f64,
    /// For how long.
    pub(super) seconds: f64,
    pub(super) requests: Requests,
    /// Answers a second of the window.
    pub(super) rate: f64,
    /// Percentiles of its response times.
    pub(super) response: Vec<Quantile>,
    /// Its part of all answers.
    pub(super) share: f64,
    /// Its part of the answers above the 99th percentile of the union. Well above its part of all
    /// answers, it is this agent, its host or its way to the server that makes the tail.
    pub(super) share_of_tail: f64,
}

impl Merged {
    pub(super) fn of(roster: &Roster) -> Self {
        let agents = &roster.agents;
        let (union, window) = (union(agents), window(agents));
        let mut requests = Requests::default();
        agents.iter().for_each(|agent| requests.merge(&agent.closing.requests));
        let damage = agents.iter().flat_map(|agent| {
            agent.damage.iter().map(|damage| format!("{}, {damage}", agent.path.display()))
        });
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            size: agents.first().map_or(0, |agent| agent.identity.size),
            missing: roster.missing.clone(),
            workload: agents
                .first()
                .map(|agent| agent.identity.workload.clone())
                .unwrap_or_default(),
            window,
            requests,
            rate_found: agents.iter().map(|agent| rate(agent, window)).sum(),
            times: distributions(&union, unanswered(&requests)),
            agents: parts(agents, &union, window),
            deviations: deviations(agents, window),
            damage: damage.collect(),
        }
    }

    /// Whether the result can be relied on.
    ///
    /// # Errors
    /// [`Failure::Inconclusive`] with the agents that deviate and the logs that are damaged.
    pub(super) fn conclusion(&self) -> Result<(), Failure> {
        let deviant = self.deviations.iter().map(|of| format!("rank {}: {}", of.rank, of.reason));
        let reasons: Vec<_> = deviant.chain(self.damage.iter().cloned()).collect();
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(Failure::Inconclusive(format!(
                "the agents did not all do the same: {}",
                reasons.join("; ")
            ))),
        }
    }
}

/// Requests that are slower than all answered ones.
fn unanswered(requests: &Requests) -> u64 {
    requests.failed + requests.outstanding + requests.unsent
}

fn distributions(
    union: &BTreeMap<Series, Histogram<u64>>,
    unanswered: u64,
) -> BTreeMap<&'static str, Distribution> {
    let beyond = |series| if series == Series::Response { unanswered } else { 0 };
    let all = union.iter();
    all.map(|(&series, times)| (series.name(), Distribution::of(times, beyond(series)))).collect()
}

fn parts(
    agents: &[AgentLog],
    union: &BTreeMap<Series, Histogram<u64>>,
    window: Option<Window>,
) -> Vec<Agent> {
    let pooled = union.get(&Series::Response);
    agents.iter().map(|agent| part(agent, pooled, window)).collect()
}

fn part(agent: &AgentLog, pooled: Option<&Histogram<u64>>, window: Option<Window>) -> Agent {
    let times = agent.sums.get(&Series::Response);
    let requests = agent.closing.requests;
    let bound = pooled.and_then(|pooled| quantile(pooled, 0, TAIL)).unwrap_or(0);
    let above = |of: &Histogram<u64>| of.len() - of.count_between(0, bound);
    let share = |count: &dyn Fn(&Histogram<u64>) -> u64| {
        let (part, all) = (times.map_or(0, count), pooled.map_or(0, count));
        part as f64 / all.max(1) as f64
    };
    Agent {
        rank: agent.identity.rank,
        file: agent.path.display().to_string(),
        host: agent.identity.host.clone(),
        start: agent.start().as_secs_f64(),
        seconds: agent.end().saturating_sub(agent.start()).as_secs_f64(),
        requests,
        rate: rate(agent, window),
        response: times.map(|times| quantiles(times, unanswered(&requests))).unwrap_or_default(),
        share: share(&Histogram::len),
        share_of_tail: share(&above),
    }
}

/// The text of merge.json.
pub(super) fn json(merged: &Merged) -> String {
    format!("{:#}\n", serde_json::json!(merged))
}

/// Writes all files into a folder; merge.json comes last: where it is, the others are.
///
/// # Errors
/// If there is such a file already, or one can't be written.
pub(super) fn write(folder: &Path, roster: &Roster, merged: &Merged) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    write_log(&folder.join(MERGED), roster, merged)?;
    if let Some(response) = merged.times.get(Series::Response.name()) {
        let text = percentiles(&response.times);
        write_file(&folder.join("merged.hgrm"), text.as_bytes())?;
    }
    write_file(&folder.join("merge.json"), json(merged).as_bytes())
}

/// The head of merged.hlog: it has no rank, so it is not taken for the log of an agent.
#[derive(Serialize)]
struct Header<'a> {
    version: &'a str,
    merged_from: u32,
    #[serde(flatten)]
    workload: &'a Workload,
}

fn write_log(path: &Path, roster: &Roster, merged: &Merged) -> Result<(), Failure> {
    let (version, workload) = (&merged.version, &merged.workload);
    let header = Header { version, merged_from: merged.size, workload };
    let seconds = by_second(&roster.agents);
    let start = seconds.first().map_or(Duration::ZERO, |second| second.start);
    let mut log = IntervalLog::create(path, &header, start)?;
    for second in seconds {
        let tag = |series| Tag { origin: Origin::All, series };
        let times = second.times.iter().map(|(&series, times)| (tag(series), times));
        log.second(second.start, second.length, &times.collect::<Vec<_>>())?;
    }
    log.finish(&serde_json::Map::new())
}
