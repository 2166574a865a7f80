//! What a policy costs: CPU time of the proxy for one request, and the 99th percentile of response
//! time, by policy, with each model.

use super::Evidence;
use super::axis::Axis;
use super::cpu::both;
use super::figure::{Body, Figure};
use super::finding::{connections, contrast_by};
use super::groups::{Column, Group, Groups, Place};
use super::latency::{chosen, conditions};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::style::look;
use crate::record::Row;
use crate::report::number::{three, time, times};
use crate::stats::cell::{Point, representative};

/// A column of the record, as a figure.
struct Shown {
    name: &'static str,
    title: &'static str,
    /// For a finding: of one request, with a model.
    what: &'static str,
    column: fn(&Row) -> Option<f64>,
    scale: fn(&[f64]) -> Scale,
    text: fn(f64) -> String,
    words: fn(f64) -> String,
    worth: fn(&Point<'_>) -> bool,
}

const CPU: Shown = Shown {
    name: "policy-cpu",
    title: "CPU time of the proxy for one request, µs",
    what: "the CPU time of the proxy for one request",
    column: both,
    scale: |values| Scale::from_zero(values.iter().copied()),
    text: three,
    words: |us| format!("{} µs", three(us)),
    worth: |point| point.outcome().holds_all(),
};

const P99: Shown = Shown {
    name: "policy-latency",
    title: "99th percentile of response time",
    what: "the 99th percentile of response time",
    column: |row| row.latency_p99_us,
    scale: |values| Scale::log_around(values.iter().flat_map(|us| [us / 2.0, *us])),
    text: time,
    words: time,
    worth: |point| point.outcome().full() && point.times_hold(),
};

/// Two figures: CPU time, and response time.
pub(super) fn build(evidence: &Evidence<'_>) -> Vec<Figure> {
    [CPU, P99].iter().filter_map(|shown| figure(evidence, shown)).collect()
}

fn figure(evidence: &Evidence<'_>, shown: &Shown) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let policies = policies(&points);
    let values: Vec<_> = points.iter().flat_map(|point| point.values(shown.column)).collect();
    if policies.len() < 2 || values.is_empty() {
        return None;
    }
    let models = models(&points);
    let groups = policies.iter().map(|policy| group(&points, policy, &models, shown));
    let legend = models.iter().map(|m| ((*m).to_owned(), look(evidence.style_of(m)).colour));
    Some(Figure {
        name: evidence.name(shown.name),
        finding: finding(evidence, &points, count, shown),
        subtitle: vec![conditions(evidence, count)],
        notes: missing(&points, shown)
            .into_iter()
            .chain(notes(None, &points, Drawn::Bars))
            .collect(),
        body: Body::Groups(Groups {
            title: "policy".into(),
            y: Axis::round(shown.title, (shown.scale)(&values), shown.text),
            legend: legend.collect(),
            stroke: None,
            groups: groups.collect(),
        }),
    })
}

/// How many trials a median leaves out: those too small for a percentile have none.
fn missing(points: &[&Point<'_>], shown: &Shown) -> Option<String> {
    let rows = points.iter().flat_map(|point| &point.rows).filter(|row| row.outcome.measured());
    let all = rows.clone().count();
    let without = rows.filter(|row| (shown.column)(row).is_none()).count();
    (without > 0).then(|| {
        format!("{without} of {all} trials have too few independent answers for {}.", shown.what)
    })
}

/// Each of them once, by name.
fn policies<'a>(points: &[&Point<'a>]) -> Vec<&'a str> {
    let mut policies: Vec<_> = points.iter().filter_map(|point| point.policy).collect();
    policies.sort_unstable();
    policies.dedup();
    policies
}

fn models<'a>(points: &[&Point<'a>]) -> Vec<&'a str> {
    let mut models = Vec::new();
    points.iter().filter(|point| point.policy.is_some()).for_each(|point| {
        if !models.contains(&point.model) {
            models.push(point.model);
        }
    });
    models
}

fn group(points: &[&Point<'_>], policy: &str, models: &[&str], shown: &Shown) -> Group {
    let column = |model: &&str| {
        let here = points.iter().find(|p| p.model == *model && p.policy == Some(policy));
        let value = here.and_then(|point| point.median(shown.column));
        let place = value.map_or_else(|| Place::Word("no number".into()), Place::Bar);
        Column {
            place,
            stroke: None,
            range: here.and_then(|point| point.spread(shown.column)),
            full: here.is_some_and(|point| (shown.worth)(point) && !point.disturbed()),
        }
    };
    Group { label: policy.to_owned(), columns: models.iter().map(column).collect() }
}

/// The policies with the most and the least, for the model that tells them apart the most.
fn finding(evidence: &Evidence<'_>, points: &[&Point<'_>], count: u64, shown: &Shown) -> String {
    let (app, place, what) = (evidence.app, connections(count), shown.what);
    let of = |model| {
        let own: Vec<_> = points.iter().filter(|point| point.model == model).copied().collect();
        contrast_by(&own, |p| p.policy.unwrap_or_default(), shown.worth, shown.column)
    };
    let all = models(points).into_iter().filter_map(|model| Some((model, of(model)?)));
    let most = all.max_by(|(_, a), (_, b)| a.ratio().total_cmp(&b.ratio()));
    match most {
        None => format!("{app}: {what} by policy at {place}"),
        Some((model, found)) if found.clear() => format!(
            "{app}: at {place}, {what} is {} with {} and {} as much with {}, on {model}",
            (shown.words)(found.least.1),
            found.least.0,
            times(found.ratio()),
            found.most.0
        ),
        Some(_) => format!(
            "{app}: at {place}, {what} is the same with all policies, as far as trials can tell"
        ),
    }
}
