//! Response times over the rate that was asked for: which model keeps them low, and until where.
//!
//! A response time begins when its request was to be sent, whatever the server did before; a
//! service time begins when it was sent. A generator that waits for the server before it sends
//! knows only the latter, and the distance between the two is what it omits. Here both are drawn:
//! where they part, requests begin to wait for a connection.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::finding::connections;
use super::lines::{Lines, Series};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::throughput::series;
use crate::record::{Outcome, Row};
use crate::report::number::{grouped, short, time, times};
use crate::stats::cell::{Point, distinct};

/// A model keeps up as long as its percentile is below this: 10 ms, in microseconds.
const LOW_US: f64 = 10_000.0;

/// From this ratio of the times on, they have parted.
const PARTED: f64 = 2.0;

/// More names than this are counted instead.
const NAMED: usize = 4;

type Column = fn(&Row) -> Option<f64>;

/// A percentile, of the response times and of the service times.
struct Percentile {
    name: &'static str,
    response: Column,
    service: Column,
}

const PERCENTILES: [Percentile; 3] = [
    Percentile {
        name: "p50",
        response: |row| row.latency_p50_us,
        service: |row| row.service_p50_us,
    },
    Percentile {
        name: "p99",
        response: |row| row.latency_p99_us,
        service: |row| row.service_p99_us,
    },
    Percentile {
        name: "p99.9",
        response: |row| row.latency_p99_9_us,
        service: |row| row.service_p99_9_us,
    },
];

/// A figure for each percentile, where several rates were asked for.
pub(super) fn build(evidence: &Evidence<'_>) -> Vec<Figure> {
    let points: Vec<_> = evidence.points.iter().filter(|p| p.rate_asked.is_some()).collect();
    let rates = distinct(&evidence.points, |point| point.rate_asked);
    let rates: Vec<_> = rates.into_iter().flatten().map(|rate| rate as f64).collect();
    if rates.len() < 2 {
        return Vec::new();
    }
    PERCENTILES.iter().filter_map(|one| figure(evidence, &points, &rates, one)).collect()
}

fn figure(
    evidence: &Evidence<'_>,
    points: &[&Point<'_>],
    rates: &[f64],
    percentile: &Percentile,
) -> Option<Figure> {
    let values =
        points.iter().flat_map(|p| [percentile.response, percentile.service].map(|c| p.median(c)));
    let scale = Scale::log_around(values.flatten());
    let series = with_service(evidence, points, percentile);
    let count = points.first()?.connections;
    (!series.is_empty()).then(|| Figure {
        name: evidence.name(&format!("under-load-{}", percentile.name.replace('.', "_"))),
        finding: finding(evidence, points, percentile),
        subtitle: vec![format!("{}; {}", connections(count), evidence.conditions())],
        notes: parted(points, percentile)
            .into_iter()
            .chain(too_few(points, percentile))
            .chain(notes(Some(&evidence.doubts), points, Drawn::Dots))
            .collect(),
        body: Body::Lines(Lines {
            x: Axis::over("requests a second, sent whatever the server does", rates, short),
            y: Axis::round(
                &format!("{} of response time (thin and pale: of service time)", percentile.name),
                scale,
                time,
            ),
            series,
        }),
    })
}

/// A line a model for response times, and a thin one for service times.
fn with_service(
    evidence: &Evidence<'_>,
    points: &[&Point<'_>],
    percentile: &Percentile,
) -> Vec<Series> {
    let rate = |point: &Point<'_>| point.rate_asked.unwrap_or(0) as f64;
    let mut all = series(evidence, points, rate, percentile.response, time);
    for series in &mut all {
        let of_model = points.iter().filter(|p| evidence.style_of(p.model) == series.style);
        let service = of_model.filter_map(|p| Some((rate(p), p.median(percentile.service)?)));
        series.shadow = service.collect();
    }
    all
}

/// Until which rate each model keeps its percentile low.
fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], percentile: &Percentile) -> String {
    let (app, name) = (evidence.app, percentile.name);
    let mut models: Vec<_> = points.iter().map(|point| point.model).collect();
    models.dedup();
    let end = |model: &&'_ str| Some((last_low(points, model, percentile)?, model.to_string()));
    let ends: Vec<_> = models.iter().filter_map(end).collect();
    if ends.is_empty() {
        return format!("{app}: {name} of response time over rate (no model can be ranked)");
    }
    let (groups, low) = (grouped_by_rate(&ends).join(", "), time(LOW_US));
    format!("{app}: {name} of response time stays under {low} with {groups}")
}

/// `poll, thread up to 30 k/s`, the highest rate first.
fn grouped_by_rate(ends: &[(u64, String)]) -> Vec<String> {
    let mut rates: Vec<_> = ends.iter().map(|(rate, _)| *rate).collect();
    rates.sort_unstable();
    rates.dedup();
    let group = |rate: &u64| {
        let there = ends.iter().filter(|(end, _)| end == rate);
        let names = listed(&there.map(|(_, model)| model.as_str()).collect::<Vec<_>>());
        match rate {
            0 => format!("{names} at no rate"),
            rate => format!("{names} up to {}/s", short(*rate as f64)),
        }
    };
    rates.iter().rev().map(group).collect()
}

/// The last rate up to which the percentile was low; 0 if it was not even at the lowest rate,
/// `None` if nobody knows.
fn last_low(points: &[&Point<'_>], model: &str, percentile: &Percentile) -> Option<u64> {
    let of_model: Vec<_> = points.iter().filter(|point| point.model == model).collect();
    let is_low = |point: &&&Point<'_>| is_low(point, percentile);
    let until = of_model.iter().take_while(|point| is_low(point) != Some(false));
    let low = until.filter(|point| is_low(point) == Some(true)).last();
    let never = is_low(of_model.first()?) == Some(false);
    low.and_then(|point| point.rate_asked).or_else(|| never.then_some(0))
}

/// Whether a model keeps up at this point; `None` where the trial or its percentile tells nothing.
fn is_low(point: &Point<'_>, percentile: &Percentile) -> Option<bool> {
    match point.outcome() {
        Outcome::Failed | Outcome::Invalid => None,
        _ if point.disturbed() || !point.times_hold() && point.outcome().full() => None,
        Outcome::Ok => point.median(percentile.response).map(|us| us < LOW_US),
        _ => Some(false),
    }
}

fn listed(names: &[&str]) -> String {
    match names.len() {
        0..=NAMED => names.join(", "),
        count => format!("{count} models"),
    }
}

/// Where response times part from service times, and by how much they do in the end.
fn parted(points: &[&Point<'_>], percentile: &Percentile) -> Option<String> {
    let mut said: Vec<(&str, String)> = Vec::new();
    for point in points.iter().filter(|point| point.outcome().measured()) {
        let Some(factor) = omission(point, percentile).filter(|factor| *factor >= PARTED) else {
            continue;
        };
        if said.iter().all(|(model, _)| *model != point.model) {
            let rate = grouped(point.rate_asked.unwrap_or(0) as f64);
            said.push((point.model, format!("{} from {rate}/s ({})", point.model, times(factor))));
        }
    }
    let said: Vec<_> = said.into_iter().map(|(_, words)| words).collect();
    (!said.is_empty()).then(|| {
        format!(
            "Response time parts from service time, which is all that a generator that waits for \
             the server would see: {}.",
            said.join(", ")
        )
    })
}

/// Why points are missing, where some are.
fn too_few(points: &[&Point<'_>], percentile: &Percentile) -> Option<String> {
    let missing = |point: &&&Point<'_>| {
        point.outcome().measured() && point.median(percentile.response).is_none()
    };
    let count = points.iter().filter(missing).count();
    (count > 0).then(|| {
        let (all, name) = (points.len(), percentile.name);
        format!("Missing: {count} of {all} points, with too few independent answers for a {name}.")
    })
}

/// Response time over service time, less what the generator itself was late.
fn omission(point: &Point<'_>, percentile: &Percentile) -> Option<f64> {
    let lag = point.median(|row| row.lag_p99_us).unwrap_or(0.0);
    let (response, service) =
        (point.median(percentile.response)?, point.median(percentile.service)?);
    (service > 0.0).then(|| (response - lag).max(0.0) / service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::stats::cell::points;

    fn row(rate: u64, response: f64, service: f64, outcome: Outcome) -> Row {
        Row {
            model: "a".into(),
            app: "http".into(),
            rate_asked_per_s: Some(rate),
            latency_p99_us: Some(response),
            service_p99_us: Some(service),
            outcome,
            ..Row::default()
        }
    }

    /// Until where the one model keeps its p99 low.
    fn end_of(rows: &[Row]) -> Option<u64> {
        let points = points(rows, App::Http, &[]);
        last_low(&points.iter().collect::<Vec<_>>(), "a", &PERCENTILES[1])
    }

    #[test]
    fn a_model_keeps_up_until_the_first_rate_at_which_it_does_not() {
        let end = |response, outcome| {
            let rows = [
                row(100, 500.0, 400.0, Outcome::Ok),
                row(200, response, 400.0, outcome),
                row(400, 800.0, 400.0, Outcome::Ok),
                row(800, 50_000.0, 400.0, Outcome::Ok),
            ];
            end_of(&rows)
        };
        assert_eq!(end(900.0, Outcome::Ok), Some(400));
        assert_eq!(end(900.0, Outcome::Overloaded), Some(100));
        assert_eq!(end(90_000.0, Outcome::Ok), Some(100));
        assert_eq!(end(90_000.0, Outcome::Invalid), Some(400), "it tells nothing");
    }

    #[test]
    fn what_nobody_knows_is_not_called_slow() {
        let disturbed = Row { host_others_cpus: Some(1.0), ..row(100, 900.0, 9.0, Outcome::Ok) };
        let rows = [disturbed, Row { latency_p99_us: None, ..row(200, 0.0, 9.0, Outcome::Ok) }];
        assert_eq!(end_of(&rows), None);
        let slow = row(400, 90_000.0, 9.0, Outcome::Ok);
        let [first, second] = rows;
        assert_eq!(end_of(&[first, second, slow.clone()]), None, "it may be fast before");
        assert_eq!(end_of(&[slow]), Some(0));
    }

    #[test]
    fn the_times_part_where_requests_wait_and_not_where_the_generator_is_late() {
        let late = Row { lag_p99_us: Some(700.0), ..row(100, 900.0, 200.0, Outcome::Ok) };
        let rows = [late, row(200, 5_000.0, 400.0, Outcome::Ok)];
        let points = points(&rows, App::Http, &[]);
        let said = parted(&points.iter().collect::<Vec<_>>(), &PERCENTILES[1]).unwrap();
        assert!(said.ends_with("a from 200/s (12 ×)."), "{said}");
    }
}
