//! What share of the requests each backend had, a bar for each model and policy.

use plotters::prelude::RGBColor;

use super::Evidence;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::finding::notes;
use super::latency::{chosen, conditions};
use super::lines::Axis;
use super::scale::Scale;
use super::style::look;
use crate::report::number::three;
use crate::stats::cell::{Point, representative};

/// Names for a legend: a bar has at most so many parts.
const NAMES: [&str; 8] = [
    "backend 1",
    "backend 2",
    "backend 3",
    "backend 4",
    "backend 5",
    "backend 6",
    "backend 7",
    "backend 8",
];

/// One share of the requests for each backend.
struct Shares<'a> {
    point: &'a Point<'a>,
    percent: Vec<f64>,
}

impl Shares<'_> {
    /// Over all trials of the point; `None` when no backend had a request.
    fn of<'a>(point: &'a Point<'a>) -> Option<Shares<'a>> {
        let mut sums = Vec::new();
        for row in &point.rows {
            let answered = row.answered_by_backend();
            sums.resize(answered.len().max(sums.len()), 0);
            sums.iter_mut().zip(answered).for_each(|(sum, count)| *sum += count);
        }
        let all: u64 = sums.iter().sum();
        let percent = sums.iter().map(|sum| 100.0 * *sum as f64 / all as f64).collect();
        (all > 0).then_some(Shares { point, percent })
    }

    /// The share of the busiest backend, over that which all would have if they had the same.
    fn peak(&self) -> f64 {
        let most = self.percent.iter().copied().fold(0.0, f64::max);
        most * self.percent.len() as f64 / 100.0
    }
}

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let shares: Vec<_> = points.iter().filter_map(|point| Shares::of(point)).collect();
    let backends = shares.iter().map(|shares| shares.percent.len()).max()?;
    if backends > NAMES.len() {
        return None;
    }
    let colour = |place| -> RGBColor { look(place).colour };
    let parts = NAMES[..backends].iter().enumerate();
    Some(Figure {
        name: evidence.name("backends"),
        finding: finding(evidence, &shares, backends),
        subtitle: vec![conditions(evidence, count)],
        notes: notes(&evidence.doubts, &points, "Pale:"),
        body: Body::Bars(Bars {
            axis: Axis::round(
                "share of the requests, %; behind it, the largest share over an even one",
                Scale::from_zero([100.0].into_iter()),
                three,
            ),
            parts: parts.map(|(n, name)| Part { name, colour: colour(n) }).collect(),
            bars: shares.iter().map(|shares| bar(evidence, shares)).collect(),
        }),
    })
}

fn bar(evidence: &Evidence<'_>, shares: &Shares<'_>) -> Bar {
    let point = shares.point;
    Bar {
        label: evidence.marked(point, point.name()),
        parts: shares.percent.clone(),
        text: format!("{:.2}", shares.peak()),
        full: point.outcome().full() && !point.disturbed(),
    }
}

fn finding(evidence: &Evidence<'_>, shares: &[Shares<'_>], backends: usize) -> String {
    let by_peak = |a: &&Shares<'_>, b: &&Shares<'_>| a.peak().total_cmp(&b.peak());
    let (least, most) = (shares.iter().min_by(by_peak), shares.iter().max_by(by_peak));
    let (Some(least), Some(most)) = (least, most) else { return evidence.app.to_string() };
    format!(
        "{}: the busiest of {backends} backends had {:.2} times an even share with {}, {:.2} with {}",
        evidence.app,
        least.peak(),
        least.point.name(),
        most.peak(),
        most.point.name()
    )
}
