//! Resident memory of the server over connections.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::contrast_of;
use super::lines::Lines;
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::throughput::series;
use crate::record::Row;
use crate::report::number::{grouped, octets};
use crate::stats::cell::{Point, distinct};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let points: Vec<_> = evidence.points.iter().filter(|point| point.idle == 0).collect();
    let asked = distinct(&evidence.points, |point| point.connections);
    let series = series(evidence, &points, |point| point.connections as f64, resident, octets);
    if series.is_empty() || asked.len() < 2 {
        return None;
    }
    let values: Vec<_> = asked.iter().map(|count| *count as f64).collect();
    let all: Vec<_> = points.iter().filter_map(|point| point.median(resident)).collect();
    let low = all.iter().copied().fold(f64::MAX, f64::min);
    let scale = Scale::Log {
        low: power_below(low),
        high: power_above(all.iter().copied().fold(low, f64::max)),
    };
    let powers = (0..64).map(|n| f64::from(n).exp2()).filter(|v| scale_holds(scale, *v));
    let y = Axis {
        title: "resident memory of the server".into(),
        scale,
        ticks: powers.map(|v| (v, octets(v))).collect(),
    };
    Some(Figure {
        name: evidence.name("memory"),
        finding: finding(evidence, &points, &asked),
        subtitle: vec![evidence.conditions()],
        notes: notes(Some(&evidence.doubts), &points, Drawn::Dots),
        body: Body::Lines(Lines {
            x: Axis::over("connections", &values, grouped),
            y,
            series: without_arrows(series),
        }),
    })
}

fn resident(row: &Row) -> Option<f64> {
    row.server_resident_octets.map(|octets| octets as f64)
}

/// Memory is what it is, whether or not the load generator was at its limit.
fn without_arrows(mut all: Vec<super::lines::Series>) -> Vec<super::lines::Series> {
    all.iter_mut().flat_map(|series| &mut series.dots).for_each(|dot| dot.at_least = false);
    all
}

/// Octets come in powers of two.
fn power_below(value: f64) -> f64 {
    value.max(1.0).log2().floor().exp2()
}

fn power_above(value: f64) -> f64 {
    power_below(value) * 2.0
}

fn scale_holds(scale: Scale, value: f64) -> bool {
    matches!(scale, Scale::Log { low, high } if value >= low && value <= high)
}

/// What a connection costs: the growth from the fewest to the most connections.
fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], asked: &[u64]) -> String {
    let app = evidence.app;
    let most = asked.last().copied().unwrap_or_default();
    let there: Vec<_> = points.iter().filter(|p| p.connections == most).copied().collect();
    let Some(found) = contrast_of(&there, |point| point.outcome().holds_all(), resident) else {
        return format!("{app}: memory of the server over connections");
    };
    let (more, less) = (found.most, found.least);
    let ends = format!("{} with {} and {} with {}", octets(less.1), less.0, octets(more.1), more.0);
    match growth(points, more.0) {
        Some(each) if each >= 1.0 => format!(
            "{app}: {} clients take {ends}, {} a client",
            grouped(most as f64),
            octets(each)
        ),
        _ => format!("{app}: {} clients take {ends}", grouped(most as f64)),
    }
}

/// Octets that each further connection of a model costs.
fn growth(points: &[&Point<'_>], model: &str) -> Option<f64> {
    let mut of_model = points.iter().filter(|point| point.model == model && point.outcome().full());
    let first = of_model.next()?;
    let last = of_model.next_back()?;
    let octets = last.median(resident)? - first.median(resident)?;
    Some(octets / (last.connections - first.connections) as f64)
}
