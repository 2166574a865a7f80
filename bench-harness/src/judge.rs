//! What the numbers of a trial are worth, and why.
//!
//! The load generator judges itself, and its verdict is taken over: nothing is judged twice. Two
//! things it can't know are added here. One is the model: clients that wait are a flaw of a server
//! that claims to serve everybody, and the nature of one that serves one at a time. The other is
//! the CPU time of the server: where both sides were at their limit, the rate is the server's.

use loadgen::report::{Requests, Summary};
use loadgen::verdict::{Check, Standing};

use crate::backends;
use crate::experiment::model::AtOnce;
use crate::failure::Failure;
use crate::launch::Counters;
use crate::launch::pinning::Pinning;
use crate::record::{Limit, Outcome, Row};

/// From this share on, the server's CPUs count as used up.
const SERVER_BUSY: f64 = 0.90;

/// The load generator's checks that mean something here, by their names.
pub(crate) mod check {
    /// Its CPU was used up.
    pub(crate) const BUSY: &str = "client CPU";
    /// Connections were left without an answer for most of the time.
    pub(crate) const STARVATION: &str = "starvation";
    /// Fewer requests were answered than planned.
    pub(crate) const OFFERED_LOAD: &str = "offered load";
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) outcome: Outcome,
    /// What kind of failure it was, where it was one.
    pub(crate) failure: Option<Failure>,
    /// Why the outcome is not `ok`.
    pub(crate) error: Option<String>,
}

impl Judgement {
    pub(crate) fn fine() -> Self {
        Self { outcome: Outcome::Ok, failure: None, error: None }
    }

    pub(crate) fn failed(failure: Failure, why: String) -> Self {
        Self { outcome: Outcome::Failed, failure: Some(failure), error: Some(why) }
    }
}

/// Judges a trial that lasted for a time.
pub(crate) fn judge(summary: &Summary, counters: Option<Counters>, at_once: AtOnce) -> Judgement {
    if let Some((failure, why)) = worthless(summary) {
        return Judgement::failed(failure, why);
    }
    let (outcome, error) = outcome(summary, counters, at_once);
    Judgement { outcome, failure: None, error }
}

/// What speaks against the numbers.
fn outcome(
    summary: &Summary,
    counters: Option<Counters>,
    at_once: AtOnce,
) -> (Outcome, Option<String>) {
    let unserved = unserved(summary);
    let refused = counters.map_or(0, |counters| counters.refused);
    let served = served(summary);
    let errors = summary.errors.total() + summary.errors_before.total();
    if at_once.refuses() && refused > 0 {
        (Outcome::Refused, Some(format!("{served}; {refused} turned away")))
    } else if at_once.starves() && unserved > 0 {
        (Outcome::Starved, Some(served))
    } else if errors > 0 {
        (Outcome::Errors, Some(format!("{served}; {}", classes(summary))))
    } else if let Some(check) = failed(summary, check::STARVATION) {
        (Outcome::Unfair, Some(format!("{served}; {}", words(check))))
    } else {
        verdict(summary)
    }
}

/// Why there is no number at all.
fn worthless(summary: &Summary) -> Option<(Failure, String)> {
    if let Some(why) = wrong(summary) {
        return Some((Failure::WrongAnswer, why));
    }
    let none = || format!("no answer: {}", classes(summary));
    (summary.requests.answered == 0).then(|| (Failure::TimeOut, none()))
}

/// What was wrong with the answers.
pub(crate) fn wrong(summary: &Summary) -> Option<String> {
    let (errors, before) = (&summary.errors, &summary.errors_before);
    let Requests { unasked, .. } = summary.requests;
    if [errors, before].iter().any(|of| of.mismatch + of.mispaired + of.status > 0) {
        return Some(format!("wrong answers: {}", classes(summary)));
    }
    (unasked > 0).then(|| format!("wrong answers: {unasked} that nobody had asked for"))
}

fn unserved(summary: &Summary) -> u64 {
    summary.connections.asked.saturating_sub(summary.connections.served)
}

fn served(summary: &Summary) -> String {
    let of = &summary.connections;
    format!("{} of {} clients served", of.served, of.asked)
}

/// The worst that the load generator says of itself, apart from what [`limit`] says.
fn verdict(summary: &Summary) -> (Outcome, Option<String>) {
    let invalid = |check: &&Check| check.standing == Standing::Invalid && check.name != check::BUSY;
    match summary.verdict.checks.iter().find(invalid) {
        None => (Outcome::Ok, None),
        Some(check) if check.name == check::OFFERED_LOAD => {
            (Outcome::Overloaded, Some(words(check).into()))
        }
        Some(check) => (Outcome::Invalid, Some(format!("{}: {}", check.name, words(check)))),
    }
}

/// What a check found, without what it means and what to do about it.
pub(crate) fn words(check: &Check) -> &str {
    check.reason.split("; ").next().unwrap_or_default()
}

/// The check of this name, if it failed.
fn failed<'a>(summary: &'a Summary, name: &str) -> Option<&'a Check> {
    let flagged = |check: &&Check| check.name == name && check.standing > Standing::Valid;
    summary.verdict.checks.iter().find(flagged)
}

/// The classes of errors that occurred, with their counts.
pub(crate) fn classes(summary: &Summary) -> String {
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
        ("mispaired", e.mispaired),
    ];
    let occurred = all.iter().filter(|(_, count)| *count > 0);
    let words: Vec<_> = occurred.map(|(class, count)| format!("{class} {count}")).collect();
    if words.is_empty() { "no errors".into() } else { words.join(", ") }
}

/// Whose CPU was used up.
pub(crate) fn limit(summary: &Summary, row: &Row, pinning: &Pinning) -> Option<Limit> {
    let client = failed(summary, check::BUSY).is_some();
    let server = row.server_cpu_share? >= SERVER_BUSY;
    Some(match (server, client) {
        (true, true) => Limit::Both,
        (true, false) => Limit::Server,
        (false, _) if backends::were_the_limit(row, pinning) => Limit::Backends,
        (false, true) => Limit::Client,
        (false, false) => Limit::Neither,
    })
}
