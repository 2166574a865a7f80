//! What idle connections cost the active ones: the classical picture of select and poll against
//! epoll.

use super::Evidence;
use super::axis::Axis;
use super::cpu::both;
use super::figure::{Body, Figure};
use super::finding::connections;
use super::lines::Lines;
use super::notes::{Drawn, arrow_note, notes};
use super::scale::Scale;
use super::throughput::series;
use crate::record::Row;
use crate::report::number::{grouped, short, three, times};
use crate::stats::cell::{Point, distinct};

/// Two figures: the rate, and the CPU time of the server for one request.
pub(super) fn build(evidence: &Evidence<'_>) -> Vec<Figure> {
    let idle = distinct(&evidence.points, |point| point.idle);
    if idle.len() < 2 {
        return Vec::new();
    }
    let rate = |row: &Row| row.rate_per_s;
    [
        figure(evidence, "idle-rate", "requests answered a second", rate, short, loss),
        figure(
            evidence,
            "idle-cpu",
            "CPU time of the server for one request, µs",
            both,
            three,
            price,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn figure(
    evidence: &Evidence<'_>,
    name: &str,
    title: &str,
    column: fn(&Row) -> Option<f64>,
    text: fn(f64) -> String,
    finding: fn(&[Change<'_>], u64) -> String,
) -> Option<Figure> {
    let points: Vec<_> = evidence.points.iter().collect();
    let values: Vec<_> = distinct(&evidence.points, |p| p.idle).iter().map(|n| *n as f64).collect();
    let all: Vec<_> = points.iter().filter_map(|point| point.median(column)).collect();
    let active = points.first().map_or(0, |point| point.connections);
    let mut series = series(evidence, &points, |point| point.idle as f64, column, text);
    let is_rate = arrow_note(&points).filter(|_| name == "idle-rate");
    if is_rate.is_none() {
        series.iter_mut().flat_map(|series| &mut series.dots).for_each(|dot| dot.at_least = false);
    }
    let lines = Lines {
        x: Axis::over("idle connections, open and silent", &values, grouped),
        y: Axis::round(title, Scale::fitting(&all), text),
        series,
    };
    let changes = changes(&points, column);
    (!all.is_empty()).then(|| Figure {
        name: evidence.name(name),
        finding: format!("{}: {}", evidence.app, finding(&changes, last_idle(&points))),
        subtitle: vec![format!("{} active; {}", connections(active), evidence.conditions())],
        notes: is_rate
            .into_iter()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Dots))
            .collect(),
        body: Body::Lines(lines),
    })
}

fn last_idle(points: &[&Point<'_>]) -> u64 {
    points.iter().map(|point| point.idle).max().unwrap_or(0)
}

/// A model's value with all the idle connections, over the one without any.
type Change<'a> = (f64, &'a str);

/// The changes, in ascending order, of the models that were measured at both ends.
fn changes<'a>(points: &[&Point<'a>], column: fn(&Row) -> Option<f64>) -> Vec<Change<'a>> {
    let (first, last) = (points.iter().map(|p| p.idle).min(), Some(last_idle(points)));
    let full = |point: &&&Point<'_>| point.outcome().full();
    let end = |model: &str, idle| {
        points
            .iter()
            .filter(full)
            .find(|p| p.model == model && Some(p.idle) == idle)?
            .median(column)
    };
    let models = points.iter().filter(|point| Some(point.idle) == first).map(|point| point.model);
    let mut all: Vec<_> =
        models.filter_map(|model| Some((end(model, last)? / end(model, first)?, model))).collect();
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    all
}

fn loss(changes: &[Change<'_>], idle: u64) -> String {
    let percent = |change: f64| format!("{:.0} %", 100.0 * change);
    match changes {
        [worst, .., best] => format!(
            "with {} idle clients {} keeps {} of its rate, {} {}",
            grouped(idle as f64),
            worst.1,
            percent(worst.0),
            best.1,
            percent(best.0)
        ),
        _ => "the rate among idle clients".into(),
    }
}

fn price(changes: &[Change<'_>], idle: u64) -> String {
    match changes {
        [least, .., most] => format!(
            "{} idle clients make a request {} as dear with {}, {} with {}",
            grouped(idle as f64),
            times(most.0),
            most.1,
            times(least.0),
            least.1
        ),
        _ => "CPU time for one request among idle clients".into(),
    }
}
