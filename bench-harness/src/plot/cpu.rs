//! CPU time of the server for one request, user and system apart.

use super::Evidence;
use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::finding::{connections, contrast_of};
use super::latency::{chosen, conditions};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::style::{SYSTEM, USER};
use crate::record::Row;
use crate::report::number::{three, times};
use crate::stats::cell::{Point, representative};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let mut bars: Vec<_> = points.iter().filter_map(|point| bar(evidence, point)).collect();
    if bars.is_empty() {
        return None;
    }
    bars.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let scale = Scale::from_zero(bars.iter().map(total));
    Some(Figure {
        name: evidence.name("cpu"),
        finding: finding(evidence, &points, count),
        subtitle: vec![conditions(evidence, count)],
        notes: notes(Some(&evidence.doubts), &points, Drawn::Bars),
        body: Body::Bars(Bars {
            axis: Axis::round("CPU time of the server for one request, µs", scale, three),
            parts: vec![
                Part { name: "user (the program)", colour: USER },
                Part { name: "system (the kernel)", colour: SYSTEM },
            ],
            bars,
        }),
    })
}

/// User and system time of the server for one request, in microseconds.
pub(super) fn both(row: &Row) -> Option<f64> {
    Some(row.server_user_us_per_request? + row.server_system_us_per_request?)
}

/// As long as the median of both together, which is what models are compared by; a trial with more
/// of the one often has less of the other, so the two medians need not sum to it.
fn bar(evidence: &Evidence<'_>, point: &Point<'_>) -> Option<Bar> {
    let user = point.median(|row| row.server_user_us_per_request)?;
    let system = point.median(|row| row.server_system_us_per_request)?;
    let whole = point.median(both)?;
    let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
    let calls = point.median(|row| row.server_calls_per_request);
    let calls = calls.map_or_else(String::new, |calls| format!(", {} calls", three(calls)));
    Some(Bar {
        label: evidence.label(point),
        parts: vec![share * whole, (1.0 - share) * whole],
        text: format!("{} µs{calls}", three(whole)),
        range: point.spread(both),
        full: point.outcome().full() && !point.disturbed(),
    })
}

fn total(bar: &Bar) -> f64 {
    bar.parts.iter().sum()
}

fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], count: u64) -> String {
    let (app, place) = (evidence.app, connections(count));
    let Some(found) = contrast_of(points, |point| point.outcome().holds_all(), both) else {
        return format!("{app}: CPU time of the server for one request at {place}");
    };
    let (dear, cheap) = (found.most, found.least);
    if found.clear() {
        format!(
            "{app}: at {place}, a request costs {} µs of CPU with {} and {} as much with {}",
            three(cheap.1),
            cheap.0,
            times(found.ratio()),
            dear.0
        )
    } else {
        let (models, alike) = (found.models, found.alike());
        format!("{app}: at {place}, the CPU times of a request with {models} models {alike}")
    }
}
