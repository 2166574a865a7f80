//! The row of a trial: what was asked for, what came out, and what it cost.
//!
//! One flat row a trial, so that any tool reads the file without options. A cell that could not be
//! measured is empty, never zero. `FORMAT.md` describes each column; a test holds the two together.

use loadgen::report::{Latency, Pace, Summary, Usage};
use loadgen::verdict::Standing;
use serde::{Deserialize, Serialize};

use crate::experiment::{App, Trial};
use crate::failure::Failure;
use crate::launch::Counters;
use crate::launch::pinning::Pinning;
use crate::probe::quiet::DISTURBANCE;

/// From this share on, in percent, stolen CPU time counts as a disturbance.
const STEAL: f64 = 2.0;

/// Between two values of a list in one cell.
pub(crate) const REASON_END: &str = "; ";

/// How a trial ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every client was served and no request failed.
    Ok,
    /// The model serves fewer clients at once than asked; the others were left waiting.
    Starved,
    /// The model holds fewer clients than asked; the others were turned away.
    Refused,
    /// The model serves all clients at once, but some had no answer in the whole measuring phase.
    Unfair,
    /// There is a rate, but some requests failed.
    Errors,
    /// Open loop: fewer requests were answered than were to be sent, so a queue grew, and times
    /// say how long it grew for.
    Overloaded,
    /// The load generator calls its own numbers invalid, for a reason that none of the others says.
    Invalid,
    /// There is no rate to speak of: `error` says why.
    #[default]
    Failed,
}

impl Outcome {
    /// Whether the trial has numbers at all.
    #[must_use]
    pub fn measured(self) -> bool {
        self != Self::Failed
    }

    /// Whether the numbers are those of all clients that were asked for.
    #[must_use]
    pub fn full(self) -> bool {
        self == Self::Ok
    }

    /// Whether the server held and served all clients that were asked for, be it some of them too
    /// late: then what the server used is worth comparing, though its rate is not.
    #[must_use]
    pub fn holds_all(self) -> bool {
        matches!(self, Self::Ok | Self::Unfair)
    }

    /// The word in the record.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Starved => "starved",
            Self::Refused => "refused",
            Self::Unfair => "unfair",
            Self::Errors => "errors",
            Self::Overloaded => "overloaded",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
        }
    }
}

/// What kept the rate from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The server used up its CPUs: the rate is the server's.
    Server,
    /// The load generator used up its CPU and the server did not: the server can do more.
    Client,
    /// Both did.
    Both,
    /// The CPUs of the backends of a proxy were used up, and its own were not.
    Backends,
    /// Neither did: waiting was the limit.
    Neither,
}

/// A trial as a row of `trials.csv`. Units are in the names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "FORMAT.md has a line for each; a test checks that")]
pub struct Row {
    pub run: String,
    pub trial: usize,
    pub block: u32,
    pub experiment: String,
    pub model: String,
    pub app: String,
    pub connections: u64,
    pub idle: u64,
    pub size_octets: Option<u64>,
    pub reconnect_every: Option<u64>,
    pub workers: Option<u32>,
    pub outcome: Outcome,
    pub limited_by: Option<Limit>,
    pub error: Option<String>,
    pub established: Option<u64>,
    pub served: Option<u64>,
    pub abandoned: Option<u64>,
    pub reconnects: Option<u64>,
    pub elapsed_s: Option<f64>,
    pub rate_per_s: Option<f64>,
    pub latency_mean_us: Option<f64>,
    pub latency_min_us: Option<f64>,
    pub latency_p50_us: Option<f64>,
    pub latency_p90_us: Option<f64>,
    pub latency_p99_us: Option<f64>,
    pub latency_p99_9_us: Option<f64>,
    pub latency_max_us: Option<f64>,
    pub connect_p50_us: Option<f64>,
    pub connect_p99_us: Option<f64>,
    pub requests_sent: Option<u64>,
    pub requests_answered: Option<u64>,
    pub requests_failed: Option<u64>,
    pub requests_outstanding: Option<u64>,
    pub errors_connect: Option<u64>,
    pub errors_read: Option<u64>,
    pub errors_write: Option<u64>,
    pub errors_reset: Option<u64>,
    pub errors_closed: Option<u64>,
    pub errors_timeout: Option<u64>,
    pub errors_status: Option<u64>,
    pub errors_mismatch: Option<u64>,
    pub errors_before: Option<u64>,
    pub octets_sent: Option<u64>,
    pub octets_received: Option<u64>,
    pub server_user_us_per_request: Option<f64>,
    pub server_system_us_per_request: Option<f64>,
    pub server_cpu_share: Option<f64>,
    pub server_resident_octets: Option<u64>,
    pub server_threads: Option<u64>,
    pub server_switches_voluntary_per_request: Option<f64>,
    pub server_switches_involuntary_per_request: Option<f64>,
    pub server_calls_per_request: Option<f64>,
    pub server_refused: Option<u64>,
    pub server_calls_wait: Option<u64>,
    pub server_calls_read: Option<u64>,
    pub server_calls_write: Option<u64>,
    pub server_calls_control: Option<u64>,
    pub server_calls_accept: Option<u64>,
    pub server_answered: Option<u64>,
    pub client_cpu_share: Option<f64>,
    pub client_resident_octets: Option<u64>,
    pub little_ratio: Option<f64>,
    pub host_steal_percent: Option<f64>,
    pub host_others_cpus: Option<f64>,
    pub verdict: Option<Standing>,
    pub verdict_reasons: Option<String>,
    pub latency_p99_low_us: Option<f64>,
    pub latency_p99_high_us: Option<f64>,
    pub rate_asked_per_s: Option<u64>,
    pub arrivals: Option<String>,
    pub service_p50_us: Option<f64>,
    pub service_p99_us: Option<f64>,
    pub service_p99_9_us: Option<f64>,
    pub lag_p50_us: Option<f64>,
    pub lag_p99_us: Option<f64>,
    pub queue_longest: Option<u64>,
    pub requests_unsent: Option<u64>,
    pub requests_each: Option<u64>,
    pub tables: Option<u64>,
    pub failure: Option<Failure>,
    pub policy: Option<String>,
    pub backends: Option<usize>,
    pub backend_answered: Option<String>,
    pub backend_accepted: Option<String>,
    pub backend_us_per_request: Option<f64>,
    pub backend_busiest_cpu_share: Option<f64>,
    pub errors_mispaired: Option<u64>,
}

impl Row {
    /// The row of a trial about which nothing is known yet but what is asked for.
    #[must_use]
    pub fn asked(run: &str, experiment: &str, trial: &Trial) -> Self {
        let cell = &trial.cell;
        Self {
            run: run.into(),
            trial: trial.number,
            block: trial.block,
            experiment: experiment.into(),
            model: cell.model.clone(),
            app: cell.app.to_string(),
            connections: cell.connections,
            idle: cell.idle,
            size_octets: cell.size,
            rate_asked_per_s: cell.rate,
            policy: cell.policy.clone(),
            ..Self::default()
        }
    }

    /// Whether other programs, or other machines on the same hardware, took part in the trial.
    #[must_use]
    pub fn disturbed(&self) -> bool {
        self.host_others_cpus.is_some_and(|cpus| cpus >= DISTURBANCE)
            || self.host_steal_percent.is_some_and(|percent| percent >= STEAL)
    }

    /// Whether the load generator stands by the times it measured. Those of a trial that it calls
    /// invalid are shown, but not compared.
    #[must_use]
    pub fn times_hold(&self) -> bool {
        self.verdict != Some(Standing::Invalid)
    }

    /// The names of the load generator's checks that failed.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.verdict_reasons.iter().flat_map(|names| names.split(REASON_END))
    }

    /// Whether the row belongs to this app.
    #[must_use]
    pub fn is_app(&self, app: App) -> bool {
        self.app == app.name()
    }

    /// Takes in what the load generator found.
    pub fn take_summary(&mut self, summary: &Summary, pinning: &Pinning) {
        self.take_counts(summary);
        self.take_errors(summary);
        self.take_latency(summary);
        self.take_client(summary);
        self.take_verdict(summary);
        if let Some(pace) = &summary.pace {
            self.take_pace(pace, summary);
        }
        if let Some(server) = &summary.server {
            self.take_server(server, summary, pinning);
        }
    }

    fn take_counts(&mut self, summary: &Summary) {
        let Summary { connections, requests, .. } = summary;
        self.established = Some(connections.established);
        self.served = Some(connections.served);
        self.abandoned = Some(connections.abandoned);
        self.reconnects = Some(connections.reconnects);
        self.elapsed_s = Some(rounded(seconds(summary.elapsed_ns)));
        self.rate_per_s = Some(rounded(summary.rate));
        self.requests_sent = Some(requests.sent);
        self.requests_answered = Some(requests.answered);
        self.requests_failed = Some(requests.failed);
        self.requests_outstanding = Some(requests.outstanding);
        self.octets_sent = Some(summary.octets_sent);
        self.octets_received = Some(summary.octets_received);
    }

    fn take_errors(&mut self, summary: &Summary) {
        let errors = &summary.errors;
        self.errors_connect = Some(errors.connect);
        self.errors_read = Some(errors.read);
        self.errors_write = Some(errors.write);
        self.errors_reset = Some(errors.reset);
        self.errors_closed = Some(errors.closed);
        self.errors_timeout = Some(errors.timeout);
        self.errors_status = Some(errors.status);
        self.errors_mismatch = Some(errors.mismatch);
        self.errors_mispaired = Some(errors.mispaired);
        self.errors_before = Some(summary.errors_before.total());
    }

    fn take_latency(&mut self, summary: &Summary) {
        let latency = &summary.latency;
        if latency.count > 0 {
            self.latency_mean_us = Some(rounded(latency.mean_ns / 1e3));
            self.latency_min_us = Some(microseconds(latency.min_ns));
            self.latency_max_us = Some(microseconds(latency.max_ns));
        }
        self.latency_p50_us = percentile(latency, 50.0);
        self.latency_p90_us = percentile(latency, 90.0);
        self.latency_p99_us = percentile(latency, 99.0);
        self.latency_p99_9_us = percentile(latency, 99.9);
        let p99 = latency.percentiles.iter().find(|point| (point.percent - 99.0).abs() < 1e-9);
        self.latency_p99_low_us = p99.and_then(|point| point.low_ns).map(microseconds);
        self.latency_p99_high_us = p99.and_then(|point| point.high_ns).map(microseconds);
        self.connect_p50_us = percentile(&summary.connect, 50.0);
        self.connect_p99_us = percentile(&summary.connect, 99.0);
        self.little_ratio = little(summary).map(rounded);
    }

    fn take_pace(&mut self, pace: &Pace, summary: &Summary) {
        self.arrivals = Some(pace.arrivals.clone());
        self.lag_p50_us = percentile(&pace.lag, 50.0);
        self.lag_p99_us = percentile(&pace.lag, 99.0);
        self.queue_longest = Some(pace.queue_longest);
        self.requests_unsent = Some(summary.requests.unsent);
        // The law below is about clients that always wait; here they come when they are due.
        self.little_ratio = None;
        let service = |percent| percentile(summary.service.as_ref()?, percent);
        self.service_p50_us = service(50.0);
        self.service_p99_us = service(99.0);
        self.service_p99_9_us = service(99.9);
    }

    /// The standing, and the names of the checks that failed, the worst ones first.
    fn take_verdict(&mut self, summary: &Summary) {
        let verdict = &summary.verdict;
        self.verdict = Some(verdict.standing);
        let of = |standing| verdict.checks.iter().filter(move |one| one.standing == standing);
        let failed = of(Standing::Invalid).chain(of(Standing::Suspect));
        let names: Vec<_> = failed.map(|check| check.name.as_str()).collect();
        self.verdict_reasons = (!names.is_empty()).then(|| names.join(REASON_END));
    }

    fn take_client(&mut self, summary: &Summary) {
        self.client_cpu_share = share(&summary.client, summary.elapsed_ns, 1).map(rounded);
        self.client_resident_octets = Some(summary.client.resident_octets);
    }

    fn take_server(&mut self, server: &Usage, summary: &Summary, pinning: &Pinning) {
        let answered = summary.requests.answered;
        let each = |total: u64| per(total, answered).map(rounded);
        self.server_user_us_per_request = per(server.user_ns, answered).map(|ns| rounded(ns / 1e3));
        self.server_system_us_per_request =
            per(server.system_ns, answered).map(|ns| rounded(ns / 1e3));
        self.server_switches_voluntary_per_request = each(server.switches_voluntary);
        self.server_switches_involuntary_per_request = each(server.switches_involuntary);
        self.server_resident_octets = Some(server.resident_octets);
        self.server_threads = Some(server.threads);
        // A model with one thread can't use a second CPU.
        let usable = (pinning.server.len() as u64).min(server.threads.max(1));
        self.server_cpu_share = share(server, summary.elapsed_ns, usable).map(rounded);
    }

    /// Takes in what the server counted over its life, warm-up included.
    pub fn take_counters(&mut self, counters: &Counters) {
        self.tables = (counters.tables > 0).then_some(counters.tables);
        self.server_refused = Some(counters.refused);
        self.server_answered = Some(counters.answered);
        self.server_calls_wait = Some(counters.wait_calls);
        self.server_calls_read = Some(counters.reads);
        self.server_calls_write = Some(counters.writes);
        self.server_calls_control = Some(counters.controls);
        self.server_calls_accept = Some(counters.accepts);
        self.server_calls_per_request = per(counters.calls(), counters.answered).map(rounded);
    }
}

/// Little's law: rate × mean latency over the clients served. It is 1 in a closed loop whose
/// clients always wait for an answer; far from 1, some time was neither measured nor spent
/// waiting.
fn little(summary: &Summary) -> Option<f64> {
    let served = summary.connections.served;
    (served > 0).then(|| summary.rate * summary.latency.mean_ns / 1e9 / served as f64)
}

/// CPU time over elapsed time and CPUs: 1 means that all of them were busy.
fn share(usage: &Usage, elapsed_ns: u64, cpus: u64) -> Option<f64> {
    per(usage.user_ns + usage.system_ns, elapsed_ns * cpus)
}

pub(crate) fn per(total: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| total as f64 / count as f64)
}

fn percentile(latency: &Latency, percent: f64) -> Option<f64> {
    latency.at(percent).map(microseconds)
}

fn microseconds(ns: u64) -> f64 {
    rounded(ns as f64 / 1e3)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Four decimals are below the resolution of everything that is measured here.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
