//! Octets a second over the size of a reply, a line a model.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast};
use super::lines::Lines;
use super::notes::{Drawn, arrow_note, notes};
use super::scale::Scale;
use super::throughput::series;
use crate::record::Row;
use crate::report::number::{octets, times};
use crate::stats::cell::{Point, distinct};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let points: Vec<_> = evidence.points.iter().filter(|point| point.size.is_some()).collect();
    let sizes: Vec<u64> =
        distinct(&evidence.points, |point| point.size).into_iter().flatten().collect();
    if sizes.len() < 2 {
        return None;
    }
    let values: Vec<_> = sizes.iter().map(|size| *size as f64).collect();
    let size = |point: &Point<'_>| point.size.unwrap_or(0) as f64;
    let speeds: Vec<_> = points.iter().filter_map(|point| point.median(speed)).collect();
    let count = points.first().map_or(0, |point| point.connections);
    let lines = Lines {
        x: Axis::over("octets in a reply", &values, octets),
        y: Axis::round("payload of the replies a second", binary(&speeds), octets),
        series: series(evidence, &points, size, speed, |value| format!("{}/s", octets(value))),
    };
    Some(Figure {
        name: evidence.name("payload"),
        finding: finding(evidence, &points, &sizes),
        subtitle: vec![format!("{}; {}", connections(count), evidence.conditions())],
        notes: arrow_note(&points)
            .into_iter()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Dots))
            .collect(),
        body: Body::Lines(with_powers_of_two(lines)),
    })
}

/// Octets of replies a second, heads not counted.
fn speed(row: &Row) -> Option<f64> {
    Some(row.rate_per_s? * row.size_octets? as f64)
}

fn binary(speeds: &[f64]) -> Scale {
    Scale::log_around(speeds.iter().copied())
}

/// Octets come in powers of two.
fn with_powers_of_two(mut lines: Lines) -> Lines {
    if let Scale::Log { low, high } = lines.y.scale {
        let powers = (0..64).step_by(2).map(|n| f64::from(n).exp2());
        let shown = powers.filter(|value| (low..=high).contains(value));
        lines.y.ticks = shown.map(|value| (value, octets(value))).collect();
    }
    lines
}

fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], sizes: &[u64]) -> String {
    let app = evidence.app;
    let ratio = |size: Option<&u64>| {
        let there: Vec<_> = points.iter().filter(|p| p.size.as_ref() == size).copied().collect();
        contrast(&there, speed)
    };
    let (Some(small), Some(large)) = (ratio(sizes.first()), ratio(sizes.last())) else {
        return format!("{app}: octets a second over the size of a reply");
    };
    let name = |size: Option<&u64>| octets(size.map_or(0.0, |size| *size as f64));
    format!(
        "{app}: the models lie {} apart at {} and {} at {}",
        times(small.ratio()),
        name(sizes.first()),
        times(large.ratio()),
        name(sizes.last())
    )
}
