//! The report of a run as a Markdown page.

use super::check::{Check, Verdict};
use super::findings;
use super::rate::{Outcome, Rate};
use super::relay::Relay;
use super::run::{CHECKS, JOBS, RATES, RELAYS, Run, TRIPS};
use super::typical::Typical;
use super::way::{Generator, WAYS};
use crate::plot::Drawn;
use crate::report::number::{grouped, octets, short, three};
use crate::report::table::{markdown, prose};
use crate::results::file;

/// How to read the tables.
const READING: &str = include_str!("reading.md");

/// The page, with figures by relative paths.
#[must_use]
pub fn page(run: &Run, figures: &[Drawn]) -> String {
    let mut text = String::from("# What it costs to wait for packets\n\n");
    text += &list(&statements(run));
    text += &charts(figures);
    for generator in Generator::ALL {
        text += &rates(run, generator);
    }
    text += &trips(run);
    text += &checks(&run.checks);
    text += &jobs(run);
    text += &relays(&run.relays);
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
    all.extend(of_relays(&run.relays));
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

/// The median over the passes of a way under a load.
fn relayed(rows: &[Relay], way: &str, load: &str, column: fn(&Relay) -> f64) -> Option<Typical> {
    let fits = |row: &&Relay| row.way == way && row.load == load && row.outcome == Outcome::Ok;
    Typical::of(rows.iter().filter(fits).map(column))
}

fn of_relays(rows: &[Relay]) -> Option<String> {
    let small = |way| relayed(rows, way, "small", |row| row.relay_us_each);
    let bulk = |way| relayed(rows, way, "bulk", |row| row.octets_per_s);
    let words = |way: &'static str| {
        let (each, rate) = (small(way)?.median, bulk(way)?.median);
        Some(format!("{way} {} µs and {}/s", three(each), octets(rate)))
    };
    let all: Vec<_> = super::relay::WAYS.into_iter().filter_map(words).collect();
    let (first, rest) = all.split_first()?;
    let rest: String = rest.iter().map(|words| format!(", {words}")).collect();
    Some(format!(
        "A relay needs this CPU time for 64 octets to and fro, and carries so much: {first}{rest}."
    ))
}

fn list(sentences: &[String]) -> String {
    match sentences {
        [] => "Nothing was measured; below is why.\n\n".into(),
        all => all.iter().map(|sentence| format!("* {sentence}\n")).collect::<String>() + "\n",
    }
}

fn charts(figures: &[Drawn]) -> String {
    let line = |figure: &Drawn| {
        let name = figure.path.file_name().unwrap_or_default().to_string_lossy();
        format!("![{}]({}/{name})\n\n", figure.finding, file::PLOTS)
    };
    figures.iter().map(line).collect()
}

fn table(title: &str, head: &[&str], lines: Vec<Vec<String>>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let head = head.iter().map(ToString::to_string).collect();
    let all: Vec<_> = std::iter::once(head).chain(lines).collect();
    format!("## {title}\n\n{}\n", markdown(&all))
}

fn rates(run: &Run, generator: Generator) -> String {
    let line = |taken: &findings::Taken| {
        let rows = || findings::made(&run.rates, taken.way, generator);
        let median = |column: fn(&Rate) -> f64| Typical::of(rows().map(column)).map(|t| t.median);
        let number = |column| median(column).map_or_else(|| "-".into(), grouped);
        vec![
            taken.way.name.to_owned(),
            short(median(|rate| rate.offered_per_s).unwrap_or(0.0)),
            short(taken.per_s.median),
            format!("{} to {}", short(taken.per_s.least), short(taken.per_s.most)),
            format!("{} %", three(median(Rate::lost_percent).unwrap_or(0.0))),
            number(|rate| rate.receiver_ns_each),
            number(|rate| rate.host_ns_each),
            taken.limit.map_or("-", |limit| limit.word()).to_owned(),
        ]
    };
    let lines = findings::taken(&run.rates, generator).iter().map(line).collect();
    let head = [
        "way",
        "offered/s",
        "taken in/s",
        "range",
        "lost",
        "receiver, ns each",
        "host, ns each",
        "limit",
    ];
    table(&format!("Packets {}", generator.words()), &head, lines)
}

fn trips(run: &Run) -> String {
    let line = |sent: &findings::Sent| {
        let fits = |way: &str| way == sent.way.name;
        let rows =
            || run.trips.iter().filter(|trip| fits(&trip.way) && trip.outcome == Outcome::Ok);
        let us = |ns: f64| three(ns / 1e3);
        let p999 = Typical::of(rows().map(|trip| trip.p999_ns as f64)).map_or(0.0, |t| t.median);
        let (count, lost) = rows().fold((0, 0), |(n, l), trip| (n + trip.trips, l + trip.lost));
        vec![
            sent.way.echo_name(),
            us(sent.p50.median),
            us(sent.p99.median),
            us(p999),
            grouped(count as f64),
            lost.to_string(),
        ]
    };
    let lines = findings::sent(&run.trips).iter().map(line).collect();
    let head = ["way", "p50, µs", "p99, µs", "p99.9, µs", "round trips", "lost"];
    table("One datagram to and fro", &head, lines)
}

fn checks(checks: &[Check]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let head = ["subject", "way", "statement", "has to be", "is", "verdict"].map(ToOwned::to_owned);
    let line = |check: &Check| {
        let Check { subject, way, statement, expected, found, .. } = check.clone();
        vec![subject, way, statement, expected, found, check.verdict.word().to_owned()]
    };
    let all: Vec<_> = std::iter::once(head.to_vec()).chain(checks.iter().map(line)).collect();
    format!("## Correctness\n\n{}\n", prose(&all))
}

fn jobs(run: &Run) -> String {
    let made = run.jobs.iter().filter(|row| row.outcome == Outcome::Ok);
    let line = |row: &super::jobs::Jobs| {
        let numbers = [row.asked, row.rejected, row.done].map(|number| grouped(number as f64));
        let most = row.most_at_once.to_string();
        let rate = grouped(row.done as f64 / row.seconds.max(f64::MIN_POSITIVE));
        [row.balancer.clone()].into_iter().chain(numbers).chain([most, rate]).collect()
    };
    let head = ["balancer", "asked", "rejected", "done", "most at once", "jobs/s"];
    table("Jobs", &head, made.map(line).collect())
}

fn relays(rows: &[Relay]) -> String {
    let mut lines = Vec::new();
    for load in super::relay::LOADS {
        for way in super::relay::WAYS {
            let number = |column| relayed(rows, way, load.name, column).map(|t| t.median);
            let Some(p50) = number(|row| row.p50_us) else { continue };
            let rate = number(|row| row.octets_per_s).unwrap_or(0.0);
            let each = number(|row| row.relay_us_each).unwrap_or(0.0);
            let size = octets(load.size as f64);
            lines.push(vec![
                way.to_owned(),
                size,
                three(p50),
                format!("{}/s", octets(rate)),
                three(each),
            ]);
        }
    }
    let head = ["way", "message", "p50, µs", "carried", "relay, µs each"];
    table("Relays", &head, lines)
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
    let cpus = |cpus: &[usize]| cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (pinning, build) = (&manifest.pinning, &manifest.build);
    let ways = WAYS.len();
    format!(
        "## Where and when\n\n{}; receivers on CPU {}, generators on CPU {}. {}; {}, revision {} \
         (changed: {}). {ways} ways of receiving. {quiet}\n\n```\n{}\n```\n\n[{RATES}]({RATES}), \
         [{TRIPS}]({TRIPS}), [{CHECKS}]({CHECKS}), [{JOBS}]({JOBS}), [{RELAYS}]({RELAYS}) have all \
         rows.\n",
        manifest.host.line(),
        cpus(&pinning.server),
        cpus(&pinning.client),
        manifest.started,
        build.servers,
        build.revision,
        build.dirty,
        manifest.command.join(" ")
    )
}
