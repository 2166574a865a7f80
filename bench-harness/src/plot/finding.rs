//! What a figure says, computed from its numbers; and what it must not say.
//!
//! Only models that served every client on an undisturbed host are compared. Models whose trials
//! overlap are not ranked, and a ratio whose larger side was held down by the load generator is a
//! lower bound.

use std::collections::BTreeMap;

use crate::record::{Outcome, Row};
use crate::report::number::{grouped, short};
use crate::stats::cell::Point;
use crate::stats::doubt::Doubts;

/// Below this ratio the models are called alike, where several trials a point are apart.
const ALIKE: f64 = 1.10;
/// The same where there is one trial a point, and nothing to tell how far two of them lie apart.
const ALIKE_ONCE: f64 = 1.25;

/// The two ends of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Contrast<'a> {
    pub(super) most: (&'a str, f64),
    pub(super) least: (&'a str, f64),
    /// How many models were compared.
    pub(super) models: usize,
    /// Whether the trials of the two ends lie apart.
    pub(super) apart: bool,
    /// Whether there are several trials of each.
    pub(super) repeated: bool,
    /// Whether the larger side may be larger still.
    pub(super) at_least: bool,
    /// Whether the smaller side is a lower bound: a rate there says nothing about the order.
    pub(super) unbounded: bool,
}

impl Contrast<'_> {
    pub(super) fn ratio(&self) -> f64 {
        self.most.1 / self.least.1
    }

    /// Whether the two ends differ by more than this run can't tell apart.
    pub(super) fn clear(&self) -> bool {
        self.apart && self.ratio() >= if self.repeated { ALIKE } else { ALIKE_ONCE }
    }

    /// Whether that holds of a rate, which the load generator may have held down on either side.
    pub(super) fn clear_rate(&self) -> bool {
        self.clear() && !self.unbounded
    }

    /// The difference in percent, for those that are alike.
    pub(super) fn percent(&self) -> f64 {
        (100.0 * (self.ratio() - 1.0)).ceil()
    }
}

/// The models with the most and the least of a column, of those that served everybody and were not
/// disturbed. `None` when there are not two of them.
pub(super) fn contrast<'a>(
    points: &[&Point<'a>],
    column: impl Fn(&Row) -> Option<f64>,
) -> Option<Contrast<'a>> {
    contrast_of(points, |point| point.outcome().full(), column)
}

/// The same of a time, of those whose times the load generator stands by.
pub(super) fn contrast_times<'a>(
    points: &[&Point<'a>],
    column: impl Fn(&Row) -> Option<f64>,
) -> Option<Contrast<'a>> {
    contrast_of(points, |point| point.outcome().full() && point.times_hold(), column)
}

/// The same, of those that are `worth` comparing.
pub(super) fn contrast_of<'a>(
    points: &[&Point<'a>],
    worth: impl Fn(&Point<'_>) -> bool,
    column: impl Fn(&Row) -> Option<f64>,
) -> Option<Contrast<'a>> {
    contrast_by(points, |point| point.model, worth, column)
}

/// The same, of what `name` calls them.
pub(super) fn contrast_by<'a>(
    points: &[&Point<'a>],
    name: impl Fn(&Point<'a>) -> &'a str,
    worth: impl Fn(&Point<'_>) -> bool,
    column: impl Fn(&Row) -> Option<f64>,
) -> Option<Contrast<'a>> {
    let full = points.iter().filter(|point| worth(point) && !point.disturbed());
    let mut ranked: Vec<_> = full
        .filter_map(|point| Some((point.median(&column)?, point)))
        .filter(|(v, _)| *v > 0.0)
        .collect();
    ranked.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (&(low, least), &(high, most)) = (ranked.first()?, ranked.get(1..)?.last()?);
    let (_, top_of_least) = least.range(&column)?;
    let (bottom_of_most, _) = most.range(&column)?;
    Some(Contrast {
        most: (name(most), high),
        least: (name(least), low),
        models: ranked.len(),
        apart: bottom_of_most > top_of_least,
        repeated: least.rows.len() > 1 && most.rows.len() > 1,
        at_least: most.client_limited(),
        unbounded: least.client_limited(),
    })
}

/// `100 connections`, `1 connection`.
pub(super) fn connections(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} connection{plural}", grouped(count as f64))
}

/// The notes that every figure needs: what hollow marks mean, what is missing, how often was
/// measured.
pub(super) fn notes(doubts: &Doubts<'_>, points: &[&Point<'_>], hollow: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let unserved = by_model(points, |point| shortfall(point));
    if !unserved.is_empty() {
        notes.push(format!("{hollow} not every client was served: {}.", listed(&unserved)));
    }
    let unsound = by_model(points, |point| unsound(point));
    if !unsound.is_empty() {
        notes.push(format!("{hollow} not ranked: {}.", listed(&unsound)));
    }
    let missing = by_model(points, |point| missing(point));
    if !missing.is_empty() {
        notes.push(format!(
            "No number at so many connections: {}; trials.csv says why.",
            listed(&missing)
        ));
    }
    notes.extend(disturbance(points));
    notes.extend(doubt(doubts, points));
    notes.push(repeats(points));
    notes
}

/// What the load generator says against some of the trials, and what against most.
fn doubt(doubts: &Doubts<'_>, points: &[&Point<'_>]) -> Option<String> {
    let rows = points.iter().flat_map(|point| &point.rows);
    let mut names: Vec<_> = rows.flat_map(|row| doubts.reasons(row)).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(", ");
    let words =
        format!("Pierced marks, and ?: the load generator doubts the trial for its {names}.");
    (!names.is_empty()).then_some(words)
}

/// Why times are not ranked, where the load generator does not stand by them.
pub(super) fn times_note(points: &[&Point<'_>]) -> Option<String> {
    let rows = || points.iter().flat_map(|point| &point.rows).filter(|row| row.outcome.full());
    let (all, held) = (rows().count(), rows().filter(|row| row.times_hold()).count());
    (held < all).then(|| {
        let without = all - held;
        format!(
            "Times of {without} of {all} trials are not ranked: the load generator's CPU was used \
             up, and they contain waits in it."
        )
    })
}

/// How arrows are to be read, where there are any.
pub(super) fn arrow_note(points: &[&Point<'_>]) -> Option<String> {
    let any = points.iter().any(|point| point.client_limited());
    any.then(|| "Arrow: the load generator was at its limit; the model can do more.".into())
}

fn repeats(points: &[&Point<'_>]) -> String {
    let counts = points.iter().map(|point| point.rows.len());
    let strokes = "thin strokes reach from the smallest to the largest";
    match (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0)) {
        (_, 0 | 1) => "One trial a point: small differences mean nothing.".into(),
        (low, high) if low == high => format!("Medians of {high} trials; {strokes}."),
        (low, high) => format!("Medians of {low} to {high} trials; {strokes}."),
    }
}

/// A warning that the numbers are not those of the models alone.
fn disturbance(points: &[&Point<'_>]) -> Option<String> {
    let rows = || points.iter().flat_map(|point| &point.rows);
    let disturbed = rows().filter(|row| row.disturbed()).count();
    (disturbed > 0).then(|| {
        let all = rows().count();
        format!("Faint: other programs used the host ({disturbed} of {all} trials); not ranked.")
    })
}

fn shortfall(point: &Point<'_>) -> Option<String> {
    let served = point.served()?;
    match point.outcome() {
        Outcome::Starved => Some(format!("serves {} at once", grouped(served as f64))),
        Outcome::Refused => Some(format!(
            "served {} of {} and turned the rest away",
            grouped(served as f64),
            grouped(point.connections as f64)
        )),
        Outcome::Unfair if served == point.connections => {
            Some("some had no answer for half of the time".into())
        }
        Outcome::Unfair => Some(format!(
            "{} of {} had an answer in time",
            grouped(served as f64),
            grouped(point.connections as f64)
        )),
        Outcome::Errors => Some("some requests failed".into()),
        _ => None,
    }
}

fn unsound(point: &Point<'_>) -> Option<String> {
    let asked = point.rate_asked.map_or(0.0, |rate| rate as f64);
    match point.outcome() {
        Outcome::Overloaded => Some(format!("overloaded at {}/s", short(asked))),
        Outcome::Invalid => Some("invalid".into()),
        _ => None,
    }
}

fn missing(point: &Point<'_>) -> Option<String> {
    let failed = point.rate().is_none();
    failed.then(|| grouped(point.connections as f64))
}

/// What is said of each model, each thing once.
fn by_model<'a>(
    points: &[&Point<'a>],
    say: impl Fn(&Point<'a>) -> Option<String>,
) -> BTreeMap<&'a str, Vec<String>> {
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for point in points {
        if let Some(words) = say(point) {
            let of_model = said.entry(point.model).or_default();
            if !of_model.contains(&words) {
                of_model.push(words);
            }
        }
    }
    said
}

fn listed(said: &BTreeMap<&str, Vec<String>>) -> String {
    let each = said.iter().map(|(model, words)| format!("{model} ({})", words.join(", ")));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::record::Limit;
    use crate::stats::cell::points;

    fn row(model: &str, rate: f64, outcome: Outcome) -> Row {
        let (model, app) = (model.into(), "echo".into());
        Row { model, app, connections: 9, outcome, rate_per_s: Some(rate), ..Row::default() }
    }

    fn rate(row: &Row) -> Option<f64> {
        row.rate_per_s
    }

    #[test]
    fn the_starved_are_not_compared() {
        let rows = [
            row("a", 10.0, Outcome::Ok),
            row("b", 40.0, Outcome::Ok),
            row("c", 99.0, Outcome::Starved),
        ];
        let points = points(&rows, App::Echo, &[]);
        let all: Vec<_> = points.iter().collect();
        let found = contrast(&all, rate).unwrap();
        assert_eq!((found.most.0, found.least.0, found.ratio()), ("b", "a", 4.0));
        assert!(found.clear() && !found.at_least);
    }

    #[test]
    fn overlapping_trials_are_not_ranked() {
        let rows = [
            row("a", 10.0, Outcome::Ok),
            row("a", 30.0, Outcome::Ok),
            row("b", 29.0, Outcome::Ok),
            row("b", 31.0, Outcome::Ok),
        ];
        let points = points(&rows, App::Echo, &[]);
        assert!(!contrast(&points.iter().collect::<Vec<_>>(), rate).unwrap().clear());
    }

    #[test]
    fn a_ratio_held_down_by_the_load_generator_is_a_lower_bound() {
        let limited = Row { limited_by: Some(Limit::Client), ..row("b", 40.0, Outcome::Ok) };
        let rows = [row("a", 10.0, Outcome::Ok), limited];
        let points = points(&rows, App::Echo, &[]);
        let found = contrast(&points.iter().collect::<Vec<_>>(), rate).unwrap();
        assert!(found.at_least && found.clear_rate());
    }

    #[test]
    fn a_rate_that_the_load_generator_held_down_is_not_called_the_lowest() {
        let limited = Row { limited_by: Some(Limit::Client), ..row("a", 10.0, Outcome::Ok) };
        let rows = [limited, row("b", 40.0, Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        assert!(!contrast(&points.iter().collect::<Vec<_>>(), rate).unwrap().clear_rate());
    }

    #[test]
    fn the_disturbed_are_not_compared_and_said_to_be() {
        let disturbed = Row { host_others_cpus: Some(0.5), ..row("b", 40.0, Outcome::Ok) };
        let rows = [row("a", 10.0, Outcome::Ok), disturbed];
        let points = points(&rows, App::Echo, &[]);
        let all: Vec<_> = points.iter().collect();
        assert_eq!(contrast(&all, rate), None);
        let said = "Faint: other programs used the host (1 of 2 trials); not ranked.";
        assert!(notes(&Doubts::default(), &all, "Hollow:").iter().any(|note| note == said));
    }

    #[test]
    fn one_model_alone_is_no_comparison() {
        let rows = [row("a", 10.0, Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        assert_eq!(contrast(&points.iter().collect::<Vec<_>>(), rate), None);
    }

    #[test]
    fn what_is_starved_or_missing_is_said_once() {
        let mut failed = row("b", 0.0, Outcome::Failed);
        failed.rate_per_s = None;
        let starved = Row { served: Some(1), ..row("a", 1.0, Outcome::Starved) };
        let rows = [starved.clone(), Row { connections: 100, ..starved }, failed];
        let points = points(&rows, App::Echo, &[]);
        let notes = notes(&Doubts::default(), &points.iter().collect::<Vec<_>>(), "Hollow:");
        assert_eq!(notes[0], "Hollow: not every client was served: a (serves 1 at once).");
        assert_eq!(notes[1], "No number at so many connections: b (9); trials.csv says why.");
    }
}
