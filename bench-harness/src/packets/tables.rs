//! The tables of the report.

use super::carried::{Carried, carried};
use super::check::Check;
use super::findings;
use super::rate::{Outcome, Rate};
use super::relay::{LOADS, Relay};
use super::run::Run;
use super::stalled::Stalled;
use super::typical::Typical;
use super::way::Generator;
use crate::report::number::{grouped, octets, short, three, time};
use crate::report::table::{markdown, prose};

fn table(title: &str, head: &[&str], lines: Vec<Vec<String>>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let head = head.iter().map(ToString::to_string).collect();
    let all: Vec<_> = std::iter::once(head).chain(lines).collect();
    format!("## {title}\n\n{}\n", markdown(&all))
}

/// Packets per second under a generator, a line a way.
pub(super) fn rates(run: &Run, generator: Generator) -> String {
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

/// Round trips, a line a way.
pub(super) fn trips(run: &Run) -> String {
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

/// Statements, a line each.
pub(super) fn checks(checks: &[Check]) -> String {
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

/// Jobs under load, a line a balancer.
pub(super) fn jobs(run: &Run) -> String {
    let made = run.jobs.iter().filter(|row| row.outcome == Outcome::Ok);
    let line = |row: &super::jobs::Jobs| {
        let numbers = [row.asked, row.rejected, row.done].map(|number| grouped(number as f64));
        let most = row.most_at_once.to_string();
        let rate = grouped(row.asked as f64 / row.seconds.max(f64::MIN_POSITIVE));
        [row.balancer.clone()].into_iter().chain(numbers).chain([most, rate]).collect()
    };
    let head = ["balancer", "asked", "rejected", "done", "most at once", "asked/s"];
    table("Jobs", &head, made.map(line).collect())
}

/// Relays, a line a load and way.
pub(super) fn relays(rows: &[Relay]) -> String {
    let line = |one: &Carried| {
        vec![
            one.way.to_owned(),
            octets(one.load.size as f64),
            three(one.p50_us.median),
            one.rate(),
            three(one.relay_us.median),
            three(one.host_us.median),
            per_gib(one),
            one.errors.to_string(),
        ]
    };
    let lines = LOADS.iter().flat_map(|load| carried(rows, *load)).map(|one| line(&one)).collect();
    let head = [
        "way",
        "message",
        "p50, µs",
        "carried each way",
        "relay, µs each",
        "host, µs each",
        "host, for a GiB",
        "changed or lost",
    ];
    table("Relays", &head, lines)
}

/// Where messages are large.
fn per_gib(one: &Carried) -> String {
    let [_, bulk] = LOADS;
    if one.load == bulk { time(one.per_gib(one.host_us)) } else { "–".into() }
}

/// Relays to a receiver that does not read, a line a way.
pub(super) fn stalls(rows: &[Stalled]) -> String {
    let line = |row: &Stalled| {
        let stopped = if row.stopped { "yes" } else { "no" };
        vec![row.way.clone(), octets(row.taken as f64), stopped.to_owned()]
    };
    let made = rows.iter().filter(|row| row.outcome == Outcome::Ok);
    let head = ["way", "taken from the sender", "sender stopped"];
    table("A receiver that does not read", &head, made.map(line).collect())
}
