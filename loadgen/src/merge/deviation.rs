//! Agents that did something else than the others.
//!
//! Each is held against the median of the others, so that one that is wrong does not make all
//! others look wrong. Of two that differ, nobody can say which one it is: both are named.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::agent_log::AgentLog;
use super::distance::Distance;
use super::union::{Window, rate};
use crate::agent::{Identity, STEP_NS};
use crate::records::Series;

/// Beginnings may be so far apart: what an agent takes to wake up and to connect.
const START_BOUND_S: f64 = 0.1;

/// Ends may be further apart: where a number of requests decides, they depend on the host.
const END_BOUND_S: f64 = 1.0;

/// The rates of an open loop may differ by that share: they are planned.
const OPEN_BOUND: f64 = 0.05;

/// Those of a closed loop depend on the host.
const CLOSED_BOUND: f64 = 0.2;

/// A difference of two counts that is so many of their standard deviations is none by chance.
const SIGMAS: f64 = 5.0;

/// Others that each is compared with, at most, so that a thousand agents don't take a million
/// comparisons.
const WITNESSES: usize = 31;

/// Something that an agent did otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Deviation {
    pub(super) rank: u32,
    pub(super) kind: Kind,
    /// In words, with the figure and its bound.
    pub(super) reason: String,
}

/// What it is that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Start,
    End,
    ClockStep,
    ClockOffset,
    Rate,
    Distribution,
}

/// All deviations, by rank.
pub(super) fn deviations(agents: &[AgentLog], window: Option<Window>) -> Vec<Deviation> {
    let checks = [starts, ends, clock_steps, clock_offsets, distributions];
    let mut found: Vec<_> = checks.into_iter().flat_map(|check| check(agents)).collect();
    found.extend(rates(agents, window));
    found.sort_by_key(|deviation| (deviation.rank, deviation.kind));
    found
}

fn starts(agents: &[AgentLog]) -> Vec<Deviation> {
    let starts: Vec<_> = agents.iter().map(|agent| agent.start().as_secs_f64()).collect();
    apart(agents, &starts, START_BOUND_S, Kind::Start, "began")
}

fn ends(agents: &[AgentLog]) -> Vec<Deviation> {
    let ends: Vec<_> = agents.iter().map(|agent| agent.end().as_secs_f64()).collect();
    apart(agents, &ends, END_BOUND_S, Kind::End, "ended")
}

/// Times that are too far from those of the others.
fn apart(agents: &[AgentLog], times: &[f64], bound: f64, kind: Kind, verb: &str) -> Vec<Deviation> {
    let all = agents.iter().enumerate().filter_map(|(at, agent)| {
        let far = off(others(times, at).map(|other| times[at] - other))?;
        let which = if far > 0.0 { "later" } else { "earlier" };
        let (far_ms, bound_ms) = (far.abs() * 1e3, bound * 1e3);
        let reason =
            format!("{verb} {far_ms:.1} ms {which} than the others (at most {bound_ms:.0} ms)");
        (far.abs() > bound).then(|| deviation(agent, kind, reason))
    });
    all.collect()
}

fn clock_steps(agents: &[AgentLog]) -> Vec<Deviation> {
    let stepped = agents.iter().filter(|agent| agent.closing.clock_step_ns.abs() > STEP_NS);
    let named = stepped.map(|agent| {
        let step_ms = agent.closing.clock_step_ns as f64 / 1e6;
        let reason = format!("its wall clock was set by {step_ms:+.1} ms in the run");
        deviation(agent, Kind::ClockStep, reason)
    });
    named.collect()
}

/// Where the kernel is the same, so is the difference of its clocks.
fn clock_offsets(agents: &[AgentLog]) -> Vec<Deviation> {
    let identities: Vec<_> = agents.iter().map(|agent| &agent.identity).collect();
    let all = agents.iter().enumerate().filter_map(|(at, agent)| {
        let of = &agent.identity;
        let neighbours = others(&identities, at).filter(|other| other.boot_id == of.boot_id);
        let differences = neighbours.map(|other| difference(of, other));
        let (far, bound) = (off(differences)? / 1e6, STEP_NS as f64 / 1e6);
        let reason = format!(
            "its wall clock is {far:+.1} ms off that of other agents on the same host (at most \
             {bound} ms): it is faked, or was set"
        );
        let known = !of.boot_id.is_empty();
        (known && far.abs() > bound).then(|| deviation(agent, Kind::ClockOffset, reason))
    });
    all.collect()
}

fn difference(one: &Identity, two: &Identity) -> f64 {
    one.clock_offset_ns.saturating_sub(two.clock_offset_ns) as f64
}

fn rates(agents: &[AgentLog], window: Option<Window>) -> Vec<Deviation> {
    let rates: Vec<_> = agents.iter().map(|agent| rate(agent, window)).collect();
    let seconds = window.map_or(0.0, |window| window.seconds);
    let all = agents.iter().enumerate().filter_map(|(at, agent)| {
        let open = agent.identity.workload.rate.is_some();
        let bound = if open { OPEN_BOUND } else { CLOSED_BOUND };
        let far = off(others(&rates, at).map(|other| rates[at] - other))?;
        let (ours, theirs, percent) = (rates[at], rates[at] - far, bound * 100.0);
        let chance = SIGMAS * ((ours + theirs) / seconds).sqrt();
        let reason = format!(
            "had {ours:.1} answers/s where the others had {theirs:.1} (at most {percent} % apart)"
        );
        let named = far.abs() > theirs * bound && far.abs() > chance;
        named.then(|| deviation(agent, Kind::Rate, reason))
    });
    all.collect()
}

/// The nearer half of the others decides, so that an agent is not blamed for one that deviates.
fn distributions(agents: &[AgentLog]) -> Vec<Deviation> {
    let times: Vec<_> = agents.iter().map(|agent| agent.sums.get(&Series::Response)).collect();
    let all = agents.iter().enumerate().filter_map(|(at, agent)| {
        let ours = times[at]?;
        let distance = typical(ours, others(&times, at).flatten())?;
        distance.is_large().then(|| {
            let Distance { statistic, factor, .. } = distance;
            let reason = format!(
                "its response times are distributed otherwise than those of the others (statistic \
                 of Kolmogorov and Smirnov {statistic:.3}, quantiles up to {factor:.1} times apart)"
            );
            deviation(agent, Kind::Distribution, reason)
        })
    });
    all.collect()
}

fn typical<'a>(
    ours: &Histogram<u64>,
    others: impl Iterator<Item = &'a Histogram<u64>>,
) -> Option<Distance> {
    let distances = others.filter_map(|other| Distance::between(ours, other));
    let mut distances: Vec<_> = distances.collect();
    distances.sort_by(|one, two| one.statistic.total_cmp(&two.statistic));
    distances.get(distances.len().checked_sub(1)? / 2).copied()
}

/// All but one, beginning after it, up to a bound.
fn others<T: Copy>(all: &[T], at: usize) -> impl Iterator<Item = T> {
    let (before, after) = (&all[..at], &all[at + 1..]);
    after.iter().chain(before).copied().take(WITNESSES)
}

/// The median difference from the others; of an even number, the smaller one of the two in the
/// middle.
fn off(differences: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<_> = differences.collect();
    all.sort_by(f64::total_cmp);
    let upper = *all.get(all.len() / 2)?;
    let lower = all[(all.len() - 1) / 2];
    Some(if lower.abs() <= upper.abs() { lower } else { upper })
}

fn deviation(agent: &AgentLog, kind: Kind, reason: String) -> Deviation {
    Deviation { rank: agent.identity.rank, kind, reason }
}
