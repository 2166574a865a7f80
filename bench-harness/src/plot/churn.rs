//! A connection per request: what taking a client on and seeing it off costs.

use super::Evidence;
use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::cpu::both;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast};
use super::latency::{chosen, conditions};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::style::USER;
use crate::report::number::{short, three, time, times};
use crate::stats::cell::{Point, representative};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let mut bars: Vec<_> = points.iter().filter_map(|point| bar(evidence, point)).collect();
    if bars.is_empty() {
        return None;
    }
    let length = |bar: &Bar| bar.parts.iter().sum::<f64>();
    bars.sort_by(|a, b| length(b).total_cmp(&length(a)));
    let scale = Scale::from_zero(bars.iter().map(length));
    let title = "connections made, used once and closed, a second";
    Some(Figure {
        name: evidence.name("churn"),
        finding: finding(evidence, &points, count),
        subtitle: vec![conditions(evidence, count)],
        notes: bounds_note(&points)
            .into_iter()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Bars))
            .collect(),
        body: Body::Bars(Bars {
            axis: Axis::round(title, scale, short),
            parts: vec![Part { name: "rate", colour: USER }],
            bars,
        }),
    })
}

/// How `≥` is to be read, where there is one.
fn bounds_note(points: &[&Point<'_>]) -> Option<String> {
    let any = points.iter().any(|point| point.client_limited());
    let words = "≥: the load generator was at its limit; the model can do more. Compare CPU times.";
    any.then(|| words.into())
}

fn bar(evidence: &Evidence<'_>, point: &Point<'_>) -> Option<Bar> {
    let rate = point.rate()?;
    let p99 = point.median(|row| row.latency_p99_us);
    let p99 = p99.map_or_else(String::new, |p99| format!(", p99 {}", time(p99)));
    let cpu = point.median(both).map_or_else(String::new, |us| format!(", {} µs CPU", three(us)));
    let bound = if point.client_limited() { "≥ " } else { "" };
    let text = format!("{bound}{}{cpu}{p99}", short(rate));
    Some(Bar {
        label: evidence.label(point),
        parts: vec![rate],
        text,
        range: point.spread(|row| row.rate_per_s),
        full: point.outcome().full() && !point.disturbed(),
    })
}

fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], count: u64) -> String {
    let (app, place) = (evidence.app, connections(count));
    let Some(found) = contrast(points, |row| row.rate_per_s) else {
        return format!("{app}: a connection per request, {place} at a time");
    };
    if found.clear_rate() {
        let bound = if found.at_least { "at least " } else { "" };
        let (most, least, ratio) = (found.most.0, found.least.0, times(found.ratio()));
        format!(
            "{app}: with a connection per request, {most} serves {bound}{ratio} as many as {least}"
        )
    } else if found.unbounded {
        format!("{app}: with a connection per request, the load generator is at its limit first")
    } else {
        let (models, alike) = (found.models, found.alike());
        format!("{app}: with a connection per request, {models} models {alike}")
    }
}
