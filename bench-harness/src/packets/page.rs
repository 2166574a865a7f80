//! The report of a run as a Markdown page.

use std::path::Path;

use super::check::{Check, Verdict};
use super::rate::Outcome;
use super::run::{CHECKS, JOBS, RATES, RELAYS, Run, STALLS, TRIPS};
use super::stalled::of_stalls;
use super::tables;
use super::way::{Generator, WAYS};
use super::{carried, findings};
use crate::folder::file;
use crate::launch::pinning::listed;
use crate::plot::Drawn;
use crate::report::page::{Circumstances, charts, list};

/// How to read the tables.
const READING: &str = include_str!("reading.md");

/// The page, with figures by relative paths.
#[must_use]
pub fn page(run: &Run, figures: &[Drawn]) -> String {
    let mut text = String::from("# What it costs to wait for packets\n\n");
    text += &list(statements(run), "Nothing was measured; below is why.");
    text += &charts(figures, Path::new(file::PLOTS));
    for generator in Generator::ALL {
        text += &tables::rates(run, generator);
    }
    text += &tables::trips(run);
    text += &tables::checks(&run.checks);
    text += &tables::jobs(run);
    text += &tables::relays(&run.relays);
    text += &tables::stalls(&run.stalls);
    text += &missing(run);
    text + READING + &host(run)
}

/// What was found, a sentence each, for the terminal and for the top of the page.
#[must_use]
pub fn statements(run: &Run) -> Vec<String> {
    let of_rates = |generator: Generator| {
        let words = findings::of_rates(&run.rates, generator)?;
        Some(format!("{words}, where packets are {}.", generator.words()))
    };
    let mut all: Vec<_> =
        [Generator::Live, Generator::Datagrams].into_iter().filter_map(of_rates).collect();
    all.extend(findings::expectations(&run.rates));
    all.extend(findings::of_trips(&run.trips).map(|words| words + "."));
    all.extend(of_checks(&run.checks));
    let relays = [carried::of_small(&run.relays), carried::of_bulk(&run.relays)];
    let relays = relays.into_iter().chain([of_stalls(&run.stalls)]);
    all.extend(relays.flatten().map(|words| words + "."));
    all
}

fn of_checks(checks: &[Check]) -> Option<String> {
    let with = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (held, broken, skipped) =
        (with(Verdict::Held), with(Verdict::Broken), with(Verdict::Skipped));
    let skipped =
        if skipped > 0 { format!("; {skipped} could not be asked") } else { String::new() };
    (held + broken > 0)
        .then(|| format!("{held} of {} statements about correctness held{skipped}.", held + broken))
}

/// Rows without numbers, a line for each reason.
fn missing(run: &Run) -> String {
    let mut reasons: Vec<(String, String)> = Vec::new();
    let mut add = |what: String, outcome: Outcome, reason: &str| {
        if outcome != Outcome::Ok && !reasons.iter().any(|(w, r)| *w == what && r == reason) {
            reasons.push((what, reason.to_owned()));
        }
    };
    run.rates.iter().for_each(|r| add(format!("{}, {}", r.way, r.generator), r.outcome, &r.reason));
    run.trips.iter().for_each(|t| add(format!("{}, to and fro", t.way), t.outcome, &t.reason));
    run.jobs.iter().for_each(|j| add(format!("jobs, {}", j.balancer), j.outcome, &j.reason));
    run.relays
        .iter()
        .for_each(|r| add(format!("relay, {}, {}", r.way, r.load), r.outcome, &r.reason));
    run.stalls.iter().for_each(|s| add(format!("relay, {}, stalled", s.way), s.outcome, &s.reason));
    if reasons.is_empty() {
        return String::new();
    }
    let lines = reasons.iter().map(|(what, reason)| format!("* {what}: {reason}\n"));
    format!("## What is not there\n\n{}\n", lines.collect::<String>())
}

fn host(run: &Run) -> String {
    let manifest = &run.manifest;
    let quiet = if findings::disturbed(&run.rates) {
        "**Disturbed**: other programs used CPUs; `others_cpus` in the tables says how many."
    } else {
        "No other program used a notable part of the CPUs before any of the passes."
    };
    let (receivers, generators) = (&manifest.pinning.server, &manifest.pinning.client);
    let roles =
        format!("receivers on CPU {}, generators on CPU {}", listed(receivers), listed(generators));
    let more = format!("{} ways of receiving. {quiet}", WAYS.len());
    Circumstances::from(manifest).section(&roles, &more)
        + &format!(
            "\n[{RATES}]({RATES}), [{TRIPS}]({TRIPS}), [{CHECKS}]({CHECKS}), [{JOBS}]({JOBS}), \
             [{RELAYS}]({RELAYS}), [{STALLS}]({STALLS}) have all rows.\n"
        )
}
