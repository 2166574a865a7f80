//! Latency over percentiles: each further nine has the same room, so that the tail can be seen.

use hdrhistogram::Histogram;

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast_times};
use super::lines::{Dot, Lines, Mark, Series};
use super::notes::{Drawn, notes, times_note};
use super::scale::Scale;
use crate::experiment::published::OpenLoop;
use crate::report::number::{grouped, time};
use crate::stats::cell::{Point, representative, representative_rate};
use crate::stats::latency::{microseconds, pooled};

/// Values on the way from one nine to the next.
const STEPS: u32 = 12;

/// The percentile that models are compared by.
const P99: f64 = 0.99;

/// How many values have to lie beyond a percentile for it to be shown.
const BEYOND: f64 = 10.0;

const TICKS: [(f64, &str); 6] = [
    (1.0, "0 %"),
    (2.0, "50 %"),
    (10.0, "90 %"),
    (100.0, "99 %"),
    (1_000.0, "99.9 %"),
    (10_000.0, "99.99 %"),
];

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let mut series: Vec<_> = points.iter().filter_map(|point| series(evidence, point)).collect();
    if series.is_empty() {
        return None;
    }
    series.extend(published(evidence, &points));
    let values = series.iter().flat_map(|series| series.dots.iter().map(|dot| dot.y));
    let last = series.iter().filter_map(|s| s.dots.last()).map(|dot| dot.x).fold(2.0, f64::max);
    let ticks =
        TICKS.iter().filter(|(x, _)| *x <= last * 1.001).map(|(x, text)| (*x, (*text).into()));
    let lines = Lines {
        x: Axis {
            title: "share of requests answered within that time".into(),
            scale: Scale::Log { low: 1.0, high: last },
            ticks: ticks.collect(),
        },
        y: Axis::round("time from request to answer", Scale::log_around(values), time),
        series,
    };
    Some(Figure {
        name: evidence.name("latency"),
        finding: finding(evidence, &points, count),
        subtitle: vec![conditions(evidence, count)],
        notes: times_note(&points)
            .into_iter()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Curves))
            .collect(),
        body: Body::Lines(lines),
    })
}

/// The cells that are shown: all models at this number of connections, without idle ones, with the
/// smallest payload; in an open loop at the highest rate that two thirds of them keep up with.
pub(super) fn chosen<'a, 'b>(evidence: &'b Evidence<'a>, count: u64) -> Vec<&'b Point<'a>> {
    let size = evidence.points.iter().map(|point| point.size).min().flatten();
    let wanted = |p: &&Point<'_>| p.connections == count && p.idle == 0 && p.size == size;
    let mut chosen: Vec<_> = evidence.points.iter().filter(wanted).collect();
    let rate = representative_rate(&chosen);
    chosen.retain(|point| point.rate_asked == rate);
    chosen
}

pub(super) fn conditions(evidence: &Evidence<'_>, count: u64) -> String {
    let rate = chosen(evidence, count).first().and_then(|point| point.rate_asked);
    let rate =
        rate.map_or_else(String::new, |rate| format!(", {} requests/s", grouped(rate as f64)));
    format!("{}{rate}; {}", connections(count), evidence.conditions())
}

/// The latencies of all trials of a cell, in nanoseconds.
pub(super) fn histogram(evidence: &Evidence<'_>, point: &Point<'_>) -> Option<Histogram<u64>> {
    let trials: Vec<_> = point.rows.iter().map(|row| row.trial).collect();
    pooled(evidence.histograms, &trials)
}

/// What others have published about the same rate, under the look that comes after those of all
/// models.
fn published(evidence: &Evidence<'_>, points: &[&Point<'_>]) -> Vec<Series> {
    let dot = |&(percent, ms): &(f64, f64)| Dot {
        x: 100.0 / (100.0 - percent),
        y: 1e3 * ms,
        range: None,
        mark: Mark::Full,
        at_least: false,
    };
    let line = |found: &OpenLoop| Series {
        label: format!(
            "{}, as published: {}/s answered",
            found.name,
            grouped(found.answered as f64)
        ),
        style: evidence.run.manifest.models.len(),
        dots: found.percentiles_ms.iter().map(dot).collect(),
        shadow: Vec::new(),
    };
    of_others(evidence, points).map(line).collect()
}

fn of_others<'a>(
    evidence: &Evidence<'a>,
    points: &[&Point<'_>],
) -> impl Iterator<Item = &'a OpenLoop> + use<'a> {
    let rate = points.first().and_then(|point| point.rate_asked);
    let studies = evidence.run.source.experiment.published.iter();
    studies.flat_map(|study| &study.latency).filter(move |found| Some(found.rate) == rate)
}

/// The 99th percentiles of those who served everybody undisturbed, beside a published one.
fn beside(evidence: &Evidence<'_>, points: &[&Point<'_>]) -> Option<String> {
    let other = of_others(evidence, points).next()?;
    let (_, ms) = other.percentiles_ms.iter().find(|(percent, _)| *percent == 99.0)?;
    let full = points.iter().filter(|point| point.outcome().full() && !point.disturbed());
    let own = full.filter_map(|point| Some(microseconds(&histogram(evidence, point)?, P99)));
    let own: Vec<_> = own.collect();
    let (low, high) =
        (own.iter().copied().reduce(f64::min)?, own.iter().copied().reduce(f64::max)?);
    Some(format!(
        "{}: 99 % of {} requests a second take at most {} with {} model{}, {} as published with {}",
        evidence.app,
        grouped(other.rate as f64),
        if low < high { format!("{} to {}", time(low), time(high)) } else { time(low) },
        own.len(),
        if own.len() == 1 { "" } else { "s" },
        time(1e3 * ms),
        other.name
    ))
}

fn series(evidence: &Evidence<'_>, point: &Point<'_>) -> Option<Series> {
    let histogram = histogram(evidence, point)?;
    let last = (histogram.len() as f64 / BEYOND).clamp(2.0, 10_000.0);
    let dots = (0..=4 * STEPS).map(|n| 10_f64.powf(f64::from(n) / f64::from(STEPS)));
    let dots: Vec<_> = dots.take_while(|x| *x <= last).map(|x| dot(&histogram, x)).collect();
    let ranked = point.outcome().full() && !point.disturbed();
    let star = if ranked { "" } else { "*" };
    let label = format!("{}{star}{}", evidence.label(point), p99(point, &histogram));
    Some(Series { label, style: evidence.style_of(point.model), dots, shadow: Vec::new() })
}

/// The 99th percentile of all trials together, if they support one.
fn p99(point: &Point<'_>, histogram: &Histogram<u64>) -> String {
    let value = microseconds(histogram, P99);
    if supports_99(point) { format!("  p99 {}", time(value)) } else { String::new() }
}

/// Whether any of the trials alone is large enough for a 99th percentile.
pub(super) fn supports_99(point: &Point<'_>) -> bool {
    point.rows.iter().any(|row| row.latency_p99_us.is_some())
}

/// The value that all but one of `x` requests stay within.
fn dot(histogram: &Histogram<u64>, x: f64) -> Dot {
    let y = microseconds(histogram, 1.0 - 1.0 / x);
    Dot { x, y, range: None, mark: Mark::None, at_least: false }
}

/// Which models differ is for the trials to say; what is named are the percentiles that are shown.
fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], count: u64) -> String {
    let (app, place) = (evidence.app, connections(count));
    if let Some(words) = beside(evidence, points) {
        return words;
    }
    let Some(found) = contrast_times(points, |row| row.latency_p99_us) else {
        return format!("{app}: how long requests take at {place}");
    };
    let shown = |model| {
        let point = points.iter().find(|point| point.model == model)?;
        Some(microseconds(&histogram(evidence, point)?, P99))
    };
    let (slow, fast) = (found.most.0, found.least.0);
    match (shown(fast), shown(slow)) {
        (Some(least), Some(most)) if found.clear() && most > least => format!(
            "{app}: at {place}, 99 % of requests take at most {} with {fast} and {} with {slow}",
            time(least),
            time(most),
        ),
        _ => {
            let (models, alike) = (found.models, found.alike());
            format!("{app}: at {place}, the 99th percentiles of {models} models {alike}")
        }
    }
}
