//! What share of the requests each backend had, a bar for each model and policy.

use std::collections::BTreeSet;

use plotters::prelude::RGBColor;

use super::Evidence;
use super::axis::Axis;
use super::bars::{Bar, Bars, Part};
use super::figure::{Body, Figure};
use super::latency::{chosen, conditions};
use super::notes::{Drawn, notes};
use super::scale::Scale;
use super::style::look;
use crate::record::Outcome;
use crate::report::number::three;
use crate::stats::cell::{Point, representative};

/// Names for a legend: a bar has at most so many parts.
const NAMES: [&str; 8] =
    ["the busiest backend", "the next", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

/// The load generator gives so many connections to loopback one address, and further ones the next.
const CLIENTS_OF_AN_ADDRESS: u64 = 1_000;

/// A share of an even one that still counts as even.
const EVEN: f64 = 1.05;

/// The share of the requests that each backend had, the busiest of a trial first: which of them
/// that is may differ from trial to trial.
struct Shares {
    /// The policy, or the model where there is one policy only.
    name: String,
    full: bool,
    percent: Vec<f64>,
}

impl Shares {
    /// Over all trials of the points; `None` when no backend had a request.
    fn of(name: String, points: &[&Point<'_>]) -> Option<Self> {
        let mut sums: Vec<u64> = Vec::new();
        for row in points.iter().flat_map(|point| &point.rows) {
            let mut answered = row.answered_by_backend();
            answered.sort_unstable_by(|a, b| b.cmp(a));
            sums.resize(answered.len().max(sums.len()), 0);
            sums.iter_mut().zip(answered).for_each(|(sum, count)| *sum += count);
        }
        let all: u64 = sums.iter().sum();
        let percent = sums.iter().map(|sum| 100.0 * *sum as f64 / all as f64).collect();
        let full = points.iter().all(|point| served_all(point.outcome()));
        (all > 0).then_some(Self { name, full, percent })
    }

    /// The share of the busiest backend, over that which all would have if they had the same.
    fn peak(&self) -> f64 {
        self.percent.first().map_or(0.0, |most| most * self.percent.len() as f64 / 100.0)
    }

    fn bar(&self) -> Bar {
        Bar {
            label: self.name.clone(),
            parts: self.percent.clone(),
            text: format!("{:.2}", self.peak()),
            range: None,
            full: self.full,
        }
    }
}

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let count = representative(&evidence.points)?;
    let points = chosen(evidence, count);
    let shares = shares(&points);
    let backends = shares.iter().map(|shares| shares.percent.len()).max()?;
    if backends > NAMES.len() {
        return None;
    }
    let colour = |place| -> RGBColor { look(place).colour };
    let parts = NAMES[..backends].iter().enumerate();
    Some(Figure {
        name: evidence.name("backends"),
        finding: format!("{}: {}", evidence.app, finding(&shares, backends)),
        subtitle: vec![conditions(evidence, count)],
        notes: one_address(&points)
            .into_iter()
            .chain(notes(None, &points, Drawn::Shares))
            .collect(),
        body: Body::Bars(Bars {
            axis: Axis::round(
                "share of the requests, %; behind it, the largest share over an even one",
                Scale::from_zero([100.0].into_iter()),
                three,
            ),
            parts: parts.map(|(n, name)| Part { name, colour: colour(n) }).collect(),
            bars: shares.iter().map(Shares::bar).collect(),
        }),
    })
}

/// Why a policy that goes by the client's address may have one choice only.
fn one_address(points: &[&Point<'_>]) -> Option<String> {
    let several = points.iter().any(|point| point.policy != points[0].policy);
    let one = points.iter().all(|point| point.connections <= CLIENTS_OF_AN_ADDRESS);
    (several && one).then(|| {
        "All clients have the same address: a policy that hashes it has the same first choice for \
         all."
            .into()
    })
}

/// A bar for each policy, whose choice does not depend on the model; with one policy only, for each
/// model, which shows that.
fn shares(points: &[&Point<'_>]) -> Vec<Shares> {
    let policies: BTreeSet<_> = points.iter().map(|point| point.policy).collect();
    if policies.len() < 2 {
        return points.iter().filter_map(|p| Shares::of(p.model.to_owned(), &[*p])).collect();
    }
    let of = |policy: Option<&str>| {
        let own: Vec<_> = points.iter().filter(|point| point.policy == policy).copied().collect();
        Shares::of(policy.unwrap_or("no policy").to_owned(), &own)
    };
    policies.into_iter().filter_map(of).collect()
}

/// How requests are shared out does not depend on when they are answered.
fn served_all(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Starved | Outcome::Refused | Outcome::Errors | Outcome::Failed)
}

/// Who shares out evenly, and who gives most to one.
fn finding(shares: &[Shares], backends: usize) -> String {
    let known: Vec<_> = match shares.iter().filter(|shares| shares.full).collect::<Vec<_>>() {
        full if full.is_empty() => shares.iter().collect(),
        full => full,
    };
    let most = known.iter().map(|shares| shares.peak()).fold(0.0, f64::max);
    if most < EVEN {
        return format!("{backends} backends share the requests evenly, whatever the model");
    }
    let named = |wanted: &dyn Fn(f64) -> bool| {
        let names = known.iter().filter(|shares| wanted(shares.peak()));
        names.map(|shares| shares.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (even, uneven) = (named(&|peak| peak < EVEN), named(&|peak| peak > most / EVEN));
    let evenly = if even.is_empty() { even } else { format!(" an even share with {even}, and") };
    format!(
        "the busiest of {backends} backends has{evenly} {most:.2} times an even one with {uneven}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(name: &str, percent: &[f64]) -> Shares {
        Shares { name: name.into(), full: true, percent: percent.into() }
    }

    #[test]
    fn says_who_shares_out_evenly_and_who_does_not() {
        let all = [
            shares("a", &[50.2, 49.8]),
            shares("b", &[100.0, 0.0]),
            shares("c", &[62.5, 37.5]),
            shares("d", &[99.0, 1.0]),
        ];
        let said = "the busiest of 2 backends has an even share with a, and 2.00 times an even one \
                    with b, d";
        assert_eq!(finding(&all, 2), said);
        assert_eq!(
            finding(&all[..1], 2),
            "2 backends share the requests evenly, whatever the model"
        );
    }

    #[test]
    fn one_that_did_not_serve_everybody_is_not_spoken_of() {
        let mut alone = shares("a", &[100.0, 0.0]);
        alone.full = false;
        assert!(finding(&[alone, shares("b", &[50.0, 50.0])], 2).contains("evenly"));
    }
}
