//! What response times are made of: the parts between the stamps of the kernel.
//!
//! ```text
//!   planned ── sent ── left the kernel ──────────────── came back ── read
//!       waiting  sending    away: network and server       reading
//! ```
//!
//! A percentile is one request's, and its neighbours tell what it is made of: the parts are the
//! means over the narrow band of response times in which the percentile lies.

use super::Evidence;
use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::latency::{chosen, conditions};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::style::{READ, SEND, SYSTEM, WAIT};
use crate::record::Outcome;
use crate::report::number::time;
use crate::results::Way;
use crate::stats::cell::{Point, representative};
use crate::stats::median;

const PERCENTILES: [(f64, &str); 3] = [(0.50, "p50"), (0.99, "p99"), (0.999, "p99.9")];

/// How many requests have to lie beyond a percentile for it to be shown.
const BEYOND: f64 = 10.0;

/// The parts of a response time in microseconds: waiting, sending, away, reading.
type Parts = [f64; 4];

/// The place of the server and the network among the parts.
const AWAY: usize = 2;

/// What is shown of a model.
struct Found<'a> {
    point: &'a Point<'a>,
    label: String,
    parts: Parts,
}

/// A figure for each percentile.
pub(super) fn build(evidence: &Evidence<'_>) -> Vec<Figure> {
    let Some(count) = representative(&evidence.points) else { return Vec::new() };
    let points = chosen(evidence, count);
    let (shown, queued): (Vec<_>, _) = points.into_iter().partition(|point| !queues(point));
    let figures = PERCENTILES.iter().filter_map(|one| figure(evidence, &shown, *one));
    figures.map(|figure| finished(figure, evidence, count, &queued)).collect()
}

/// Whether requests wait for a server that can't take them: that wait is neither the load
/// generator's own nor a part of any one answer.
fn queues(point: &Point<'_>) -> bool {
    use Outcome::{Overloaded, Refused, Starved};
    matches!(point.outcome(), Overloaded | Refused | Starved)
}

fn figure(
    evidence: &Evidence<'_>,
    points: &[&Point<'_>],
    (quantile, name): (f64, &str),
) -> Option<Figure> {
    let known = points.iter().filter_map(|point| found(evidence, point, quantile));
    let mut found: Vec<_> = known.collect();
    found.sort_by(|a, b| total(&a.parts).total_cmp(&total(&b.parts)));
    let scale = Scale::from_zero(found.iter().map(|one| total(&one.parts)));
    (!found.is_empty()).then(|| Figure {
        name: evidence.name(&format!("where-time-goes-{}", name.replace('.', "_"))),
        finding: format!("{}: {}", evidence.app, finding(&found, name)),
        subtitle: Vec::new(),
        notes: notes(Some(&evidence.doubts), points, Drawn::Shapes),
        body: Body::Bars(Bars {
            axis: Axis::round(&format!("{name} of response time"), scale, time),
            parts: legend(),
            bars: found.iter().map(bar).collect(),
        }),
    })
}

/// Two models of which one's percentile lies just above the border of a band, and the other's just
/// below it, look further apart than they are.
const BAND: &str = "A bar is the mean of a band of response times, up to a quarter wide, in which \
    the percentile lies: it shows shares, and no rank.";

/// Adds what all percentiles have in common.
fn finished(
    mut figure: Figure,
    evidence: &Evidence<'_>,
    count: u64,
    queued: &[&Point<'_>],
) -> Figure {
    figure.subtitle = vec![conditions(evidence, count)];
    figure.notes.insert(0, BAND.to_owned());
    if !queued.is_empty() {
        let models = queued.iter().map(|point| point.model).collect::<Vec<_>>().join(", ");
        let words = format!("Not shown, since requests queue for the server: {models}.");
        figure.notes.insert(0, words);
    }
    figure
}

/// How much of a response time is not the server's, where that can be trusted.
fn finding(found: &[Found<'_>], name: &str) -> String {
    let own: Vec<_> = found.iter().filter(|one| full(one.point)).map(|f| own(&f.parts)).collect();
    match median(&own) {
        None => format!("what the {name} of response time is made of"),
        Some(share) => format!(
            "at {name}, {:.0} % of what a generator without stamps calls the server's latency is \
             its own",
            100.0 * share
        ),
    }
}

fn found<'a>(evidence: &Evidence<'_>, point: &'a Point<'a>, quantile: f64) -> Option<Found<'a>> {
    let parts = parts(evidence, point, quantile)?;
    Some(Found { point, label: evidence.label(point), parts })
}

fn legend() -> Vec<Part> {
    vec![
        Part { name: "planned to sent", colour: WAIT },
        Part { name: "sent to left the kernel", colour: SEND },
        Part { name: "away: network and server", colour: SYSTEM },
        Part { name: "came back to read", colour: READ },
    ]
}

fn full(point: &Point<'_>) -> bool {
    point.outcome().full() && !point.disturbed()
}

fn bar(found: &Found<'_>) -> Bar {
    let parts = &found.parts;
    let text = format!("{}, own {:.0} %", time(total(parts)), 100.0 * own(parts));
    Bar {
        label: found.label.clone(),
        parts: parts.to_vec(),
        text,
        range: None,
        full: full(found.point),
    }
}

fn total(parts: &[f64]) -> f64 {
    parts.iter().sum()
}

/// The share of a response time that is not away.
fn own(parts: &Parts) -> f64 {
    1.0 - parts[AWAY] / total(parts).max(f64::MIN_POSITIVE)
}

/// The parts of a percentile over all trials of a cell; `None` where there are too few requests.
fn parts(evidence: &Evidence<'_>, point: &Point<'_>, quantile: f64) -> Option<Parts> {
    let of_cell = |way: &&Way| point.rows.iter().any(|row| row.trial == way.trial);
    around(evidence.run.ways.iter().filter(of_cell), quantile)
}

fn around<'a>(ways: impl Iterator<Item = &'a Way>, quantile: f64) -> Option<Parts> {
    let mut ways: Vec<_> = ways.collect();
    ways.sort_by_key(|way| way.band);
    let all: u64 = ways.iter().map(|way| way.count).sum();
    if all as f64 * (1.0 - quantile) < BEYOND {
        return None;
    }
    let mut below = 0;
    let band = ways.iter().find(|way| {
        below += way.count;
        below as f64 >= quantile * all as f64
    })?;
    Some(mean(ways.iter().filter(|way| way.band == band.band).copied()))
}

fn mean<'a>(ways: impl Iterator<Item = &'a Way>) -> Parts {
    let (mut count, mut sums) = (0, [0; 4]);
    for way in ways {
        count += way.count;
        let parts = [way.wait_ns, way.send_ns, way.away_ns, way.read_ns];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    sums.map(|sum| sum as f64 / 1e3 / count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(trial: usize, band: usize, count: u64, [wait, send, away, read]: [u64; 4]) -> Way {
        let each = |part: u64| part * count;
        let (wait_ns, send_ns) = (each(wait), each(send));
        Way { trial, band, count, wait_ns, send_ns, away_ns: each(away), read_ns: each(read) }
    }

    #[test]
    fn a_percentile_is_made_of_what_its_band_is_made_of() {
        let fast = [1_000, 2_000, 3_000, 4_000];
        let slow = [1_000, 2_000, 90_000, 7_000];
        let ways =
            [way(1, 9, 500, slow), way(1, 4, 10_000, fast), way(2, 4, 10_000, fast.map(|p| p * 2))];
        assert_eq!(around(ways.iter(), 0.5), Some([1.5, 3.0, 4.5, 6.0]));
        assert_eq!(around(ways.iter(), 0.99), Some([1.0, 2.0, 90.0, 7.0]));
        assert!((own(&[1.0, 2.0, 90.0, 7.0]) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_with_next_to_nothing_beyond_it_is_not_shown() {
        let ways = [way(1, 4, 900, [1_000; 4])];
        assert!(around(ways.iter(), 0.5).is_some());
        assert_eq!(around(ways.iter(), 0.99), None);
        assert_eq!(around([].iter(), 0.5), None);
    }
}
