//! Requests a second over connections, a line a model.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast};
use super::lines::{Dot, Lines, Mark, Series};
use super::notes::{Drawn, arrow_note, notes};
use super::scale::Scale;
use crate::report::number::{grouped, short, times};
use crate::stats::cell::{Point, distinct};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let points: Vec<_> = evidence.points.iter().filter(|point| point.idle == 0).collect();
    let asked = distinct(&evidence.points, |point| point.connections);
    let series = by_model(evidence, &points, |point| point.connections as f64);
    if series.is_empty() || asked.len() < 2 {
        return None;
    }
    let rates: Vec<_> = points.iter().filter_map(|point| point.rate()).collect();
    let values: Vec<_> = asked.iter().map(|connections| *connections as f64).collect();
    let lines = Lines {
        x: Axis::over(
            "connections (each asks again as soon as it has its answer)",
            &values,
            grouped,
        ),
        y: Axis::round("requests answered a second", Scale::fitting(&rates), short),
        series,
    };
    Some(Figure {
        name: evidence.name("throughput"),
        finding: finding(evidence, &points, &asked),
        subtitle: vec![evidence.conditions()],
        notes: [arrow_note(&points), None]
            .into_iter()
            .flatten()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Dots))
            .collect(),
        body: Body::Lines(lines),
    })
}

/// A line a model, with its rate at each value of `x`.
pub(super) fn by_model(
    evidence: &Evidence<'_>,
    points: &[&Point<'_>],
    x: impl Fn(&Point<'_>) -> f64,
) -> Vec<Series> {
    series(evidence, points, x, |row| row.rate_per_s, short)
}

/// A line a model, with any column at each value of `x`; the last value stands beside the name.
pub(super) fn series(
    evidence: &Evidence<'_>,
    points: &[&Point<'_>],
    x: impl Fn(&Point<'_>) -> f64,
    column: impl Fn(&crate::record::Row) -> Option<f64> + Copy,
    text: fn(f64) -> String,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for point in points {
        let Some(y) = point.median(column) else { continue };
        let dot = dot(evidence, point, x(point), y, point.range(column));
        match all.iter_mut().find(|series| series.label == point.model) {
            Some(series) => series.dots.push(dot),
            None => all.push(Series {
                label: point.model.into(),
                style: evidence.style_of(point.model),
                dots: vec![dot],
                shadow: Vec::new(),
            }),
        }
    }
    for series in &mut all {
        let last = series.dots.last().map(|dot| text(dot.y)).unwrap_or_default();
        series.label = format!("{}  {last}", series.label);
    }
    all
}

fn dot(
    evidence: &Evidence<'_>,
    point: &Point<'_>,
    x: f64,
    y: f64,
    range: Option<(f64, f64)>,
) -> Dot {
    let mark = match point.outcome().full() {
        false => Mark::Hollow,
        true if point.disturbed() => Mark::Faint,
        true if evidence.doubts.mark(point) => Mark::Pierced,
        true => Mark::Full,
    };
    let range = range.filter(|_| point.rows.len() > 1);
    Dot { x, y, range, mark, at_least: point.client_limited() }
}

/// The comparison at the most connections at which two models serve everybody.
fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], asked: &[u64]) -> String {
    let app = evidence.app;
    let at = |count: u64| {
        let there: Vec<_> = points.iter().filter(|p| p.connections == count).copied().collect();
        contrast(&there, |row| row.rate_per_s).map(|found| (count, found))
    };
    let Some((count, found)) = asked.iter().rev().find_map(|count| at(*count)) else {
        return format!("{app}: requests answered a second (no two models can be compared)");
    };
    let place = connections(count);
    if found.clear_rate() {
        let bound = if found.at_least { "at least " } else { "" };
        let (most, least, ratio) = (found.most.0, found.least.0, times(found.ratio()));
        format!("{app}: {most} answers {bound}{ratio} as many requests as {least} at {place}")
    } else {
        if found.unbounded {
            return format!("{app}: no ranking at {place}, the load generator was at its limit");
        }
        let (models, alike) = (found.models, found.alike());
        format!("{app}: no clear winner at {place}; {models} models {alike}")
    }
}
