//! How latency is distributed: one shape a model, over a common logarithmic axis.

use hdrhistogram::Histogram;

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast_times};
use super::latency::{chosen, conditions, histogram, supports_99};
use super::notes::{Drawn, notes, times_note};
use super::scale::Scale;
use super::spreads::{Spread, Spreads};
use crate::record::Row;
use crate::report::number::{time, times};
use crate::stats::cell::{Point, representative};
use crate::stats::latency::microseconds;

/// Classes of equal ratio that the values are counted in.
const CLASSES: usize = 160;

/// What lies outside of these shares is not part of a shape; the tail has a figure of its own.
const INSIDE: (f64, f64) = (0.001, 0.999);

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let known: Vec<_> =
        points.iter().filter_map(|point| Some((*point, histogram(evidence, point)?))).collect();
    let edges =
        known.iter().flat_map(|(_, h)| [microseconds(h, INSIDE.0), microseconds(h, INSIDE.1)]);
    let scale = Scale::log_around(edges);
    let spreads: Vec<_> = known.iter().map(|(point, h)| spread(evidence, point, h)).collect();
    let finding = finding(evidence, &known, count)?;
    Some(Figure {
        name: evidence.name("distribution"),
        finding,
        subtitle: vec![
            conditions(evidence, count),
            "Height: share of requests. Strokes: median and 99th percentile".into(),
        ],
        notes: times_note(&points)
            .into_iter()
            .chain(notes(Some(&evidence.doubts), &points, Drawn::Shapes))
            .collect(),
        body: Body::Spreads(Spreads {
            axis: Axis::round("time from request to answer", scale, time),
            spreads,
        }),
    })
}

fn spread(evidence: &Evidence<'_>, point: &Point<'_>, histogram: &Histogram<u64>) -> Spread {
    Spread {
        label: evidence.label(point),
        style: evidence.style_of(point.model),
        shape: shape(histogram),
        marks: marks(point, histogram),
        full: point.outcome().full() && !point.disturbed(),
    }
}

/// The median, and the 99th percentile if there are enough requests for one.
fn marks(point: &Point<'_>, histogram: &Histogram<u64>) -> Vec<f64> {
    let tail = supports_99(point).then(|| microseconds(histogram, 0.99));
    [microseconds(histogram, 0.5)].into_iter().chain(tail).collect()
}

/// Counts in classes of equal ratio between the two quantiles, smoothed over neighbours; the
/// densest class has 1.
fn shape(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let (low, high) =
        (microseconds(histogram, INSIDE.0).max(0.001), microseconds(histogram, INSIDE.1) * 1.001);
    let ratio = (high / low).max(1.01).powf(1.0 / CLASSES as f64);
    let mut counts = vec![0.0; CLASSES];
    for step in histogram.iter_recorded() {
        let class = ((step.value_iterated_to() as f64 / 1e3 / low).ln() / ratio.ln()).floor();
        if (0.0..CLASSES as f64).contains(&class) {
            counts[class as usize] += step.count_since_last_iteration() as f64;
        }
    }
    let smooth = smoothed(&counts);
    let most = smooth.iter().copied().fold(1.0, f64::max);
    let value = |n: usize| low * ratio.powf(n as f64 + 0.5);
    smooth.iter().enumerate().map(|(n, count)| (value(n), count / most)).collect()
}

/// The mean of each class and its two neighbours on either side.
fn smoothed(counts: &[f64]) -> Vec<f64> {
    let around = |n: usize| &counts[n.saturating_sub(2)..(n + 3).min(counts.len())];
    (0..counts.len()).map(|n| around(n).iter().sum::<f64>() / around(n).len() as f64).collect()
}

/// Which model is the most even one: the least way from the median to the 99th percentile.
fn finding(
    evidence: &Evidence<'_>,
    known: &[(&Point<'_>, Histogram<u64>)],
    count: u64,
) -> Option<String> {
    let (app, place) = (evidence.app, connections(count));
    let points: Vec<_> = known.iter().map(|(point, _)| *point).collect();
    let Some(found) = contrast_times(&points, tail) else {
        return known.first().map(|_| format!("{app}: how latency is distributed at {place}"));
    };
    let shown = |model| known.iter().find(|(p, _)| p.model == model).map(|(_, h)| ratio(h));
    let (even, uneven) = (found.least.0, found.most.0);
    let (least, most) = (shown(even)?, shown(uneven)?);
    Some(match found.clear() && most > least {
        true => format!(
            "{app}: at {place}, the slowest 1 % take over {} the median with {even}, over {} with \
             {uneven}",
            times(least),
            times(most)
        ),
        false => format!(
            "{app}: at {place}, the slowest 1 % take over {} the median, whatever the model, as \
             far as trials can tell",
            times(least_of_all(known).unwrap_or_else(|| least.min(most)))
        ),
    })
}

/// The shortest way from the median to the 99th percentile, of those whose times are compared.
fn least_of_all(known: &[(&Point<'_>, Histogram<u64>)]) -> Option<f64> {
    let compared = |point: &Point<'_>| {
        point.outcome().full() && point.times_hold() && !point.disturbed() && supports_99(point)
    };
    known.iter().filter(|(point, _)| compared(point)).map(|(_, h)| ratio(h)).reduce(f64::min)
}

/// How far the tail reaches.
fn ratio(histogram: &Histogram<u64>) -> f64 {
    microseconds(histogram, 0.99) / microseconds(histogram, 0.5).max(0.001)
}

/// The same of one trial.
fn tail(row: &Row) -> Option<f64> {
    Some(row.latency_p99_us? / row.latency_p50_us?.max(0.001))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::record::Outcome;
    use crate::stats::cell::points;

    /// A hundred requests, of which the slowest took so many times as long as the others.
    fn histogram(times: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        histogram.record_n(1_000_000, 98).unwrap();
        histogram.record_n(1_000_000 * times, 2).unwrap();
        histogram
    }

    #[test]
    fn what_holds_of_every_model_holds_of_the_most_even_one_that_is_compared() {
        let row = |model: &str, outcome| Row {
            model: model.into(),
            app: "echo".into(),
            outcome,
            latency_p99_us: Some(1.0),
            ..Row::default()
        };
        let disturbed = Row { host_others_cpus: Some(0.5), ..row("d", Outcome::Ok) };
        let rows = [row("a", Outcome::Ok), row("b", Outcome::Ok), disturbed];
        let rows = [&rows[..], &[row("e", Outcome::Starved)]].concat();
        let points = points(&rows, App::Echo, &[]);
        let tails = [5, 3, 2, 1].map(histogram);
        let known: Vec<_> = points.iter().zip(tails).collect();
        assert_eq!(least_of_all(&known).map(f64::round), Some(3.0));
        assert_eq!(least_of_all(&known[2..]), None);
    }

    #[test]
    fn a_percentile_that_no_trial_supports_is_not_marked() {
        let row = Row { model: "a".into(), app: "echo".into(), ..Row::default() };
        let with = Row { latency_p99_us: Some(1.0), ..row.clone() };
        for (row, count) in [(row, 1), (with, 2)] {
            let rows = [row];
            let points = points(&rows, App::Echo, &[]);
            assert_eq!(marks(&points[0], &histogram(5)).len(), count);
        }
    }
}
