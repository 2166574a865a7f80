//! What stands below a figure: what its marks mean, what is missing, how often was measured.

use std::collections::BTreeMap;

use crate::record::Outcome;
use crate::report::number::{grouped, short};
use crate::stats::cell::Point;
use crate::stats::doubt::Doubts;

/// How a figure shows its numbers, and so how it marks one that is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    /// A dot with a stroke for each point.
    Dots,
    /// A bar with a stroke for each point.
    Bars,
    /// A curve for all trials of a point together.
    Curves,
    /// A shape or a bar in parts, for all trials of a point together.
    Shapes,
    /// A bar of shares, for all trials of a point together: what is shared out does not depend on
    /// when it is answered, so times that are not ranked are no flaw of it.
    Shares,
}

impl Drawn {
    /// What is said of models that did not serve everybody.
    const fn flawed(self) -> &'static str {
        match self {
            Self::Dots => "Hollow:",
            Self::Bars | Self::Shapes | Self::Shares => "Pale:",
            Self::Curves => "Star:",
        }
    }

    const fn disturbed(self) -> &'static str {
        if let Self::Dots = self { "Faint:" } else { self.flawed() }
    }

    const fn doubted(self) -> &'static str {
        if let Self::Dots = self { "Pierced marks" } else { "?" }
    }
}

/// The notes that every figure needs. A figure that does not mark doubts has none of them.
pub(super) fn notes(
    doubts: Option<&Doubts<'_>>,
    points: &[&Point<'_>],
    drawn: Drawn,
) -> Vec<String> {
    let (mut notes, flawed) = (Vec::new(), drawn.flawed());
    let unserved = by_model(points, shortfall);
    if !unserved.is_empty() {
        notes.push(format!("{flawed} not every client was served: {}.", listed(&unserved)));
    }
    let times = drawn != Drawn::Shares;
    let unsound = by_model(points, unsound);
    if times && !unsound.is_empty() {
        notes.push(format!("{flawed} not ranked: {}.", listed(&unsound)));
    }
    let missing = by_model(points, missing);
    if !missing.is_empty() {
        notes.push(format!(
            "No number at so many connections: {}; trials.csv says why.",
            listed(&missing)
        ));
    }
    notes.extend(times.then(|| disturbance(points, drawn)).flatten());
    notes.extend(doubts.and_then(|doubts| doubt(doubts, points, drawn)));
    notes.push(repeats(points, drawn));
    notes
}

/// What the load generator says against some of the trials, and what against most.
fn doubt(doubts: &Doubts<'_>, points: &[&Point<'_>], drawn: Drawn) -> Option<String> {
    let rows = points.iter().flat_map(|point| &point.rows);
    let mut names: Vec<_> = rows.flat_map(|row| doubts.reasons(row)).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(", ");
    let mark = drawn.doubted();
    let words = format!("{mark}: the load generator doubts a trial for its {names}.");
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

fn repeats(points: &[&Point<'_>], drawn: Drawn) -> String {
    let counts = points.iter().map(|point| point.rows.len());
    let (low, high) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    let count = if low == high { high.to_string() } else { format!("{low} to {high}") };
    match drawn {
        _ if high < 2 => "One trial a point: small differences mean nothing.".into(),
        Drawn::Dots | Drawn::Bars => {
            format!(
                "Medians of {count} trials; thin strokes reach from the smallest to the largest."
            )
        }
        Drawn::Curves | Drawn::Shapes | Drawn::Shares => {
            format!("All requests of {count} trials together.")
        }
    }
}

/// A warning that the numbers are not those of the models alone.
fn disturbance(points: &[&Point<'_>], drawn: Drawn) -> Option<String> {
    let rows = || points.iter().flat_map(|point| &point.rows);
    let disturbed = rows().filter(|row| row.disturbed()).count();
    (disturbed > 0).then(|| {
        let (all, mark) = (rows().count(), drawn.disturbed());
        format!("{mark} other programs used the host ({disturbed} of {all} trials); not ranked.")
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

/// What is said of each model, each thing once; of each of its policies where there are several.
fn by_model(
    points: &[&Point<'_>],
    say: impl Fn(&Point<'_>) -> Option<String>,
) -> BTreeMap<String, Vec<String>> {
    let several = points.iter().any(|point| point.policy != points[0].policy);
    let name = |point: &Point<'_>| match point.policy.filter(|_| several) {
        Some(policy) => format!("{} with {policy}", point.model),
        None => point.model.to_owned(),
    };
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for point in points {
        if let Some(words) = say(point) {
            let of_model = said.entry(name(point)).or_default();
            if !of_model.contains(&words) {
                of_model.push(words);
            }
        }
    }
    said
}

fn listed(said: &BTreeMap<String, Vec<String>>) -> String {
    let each = said.iter().map(|(model, words)| format!("{model} ({})", words.join(", ")));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::record::Row;
    use crate::stats::cell::points;

    fn row(model: &str, rate: f64, outcome: Outcome) -> Row {
        let (model, app) = (model.into(), "echo".into());
        Row { model, app, connections: 9, outcome, rate_per_s: Some(rate), ..Row::default() }
    }

    #[test]
    fn the_disturbed_are_said_to_be() {
        let disturbed = Row { host_others_cpus: Some(0.5), ..row("b", 40.0, Outcome::Ok) };
        let rows = [row("a", 10.0, Outcome::Ok), disturbed];
        let points = points(&rows, App::Echo, &[]);
        let all: Vec<_> = points.iter().collect();
        for (drawn, mark) in
            [(Drawn::Dots, "Faint"), (Drawn::Bars, "Pale"), (Drawn::Curves, "Star")]
        {
            let said = format!("{mark}: other programs used the host (1 of 2 trials); not ranked.");
            assert!(notes(Some(&Doubts::default()), &all, drawn).contains(&said));
        }
    }

    #[test]
    fn strokes_are_spoken_of_where_they_are_drawn() {
        let rows = [row("a", 10.0, Outcome::Ok), row("a", 11.0, Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        let of = |drawn| notes(None, &points.iter().collect::<Vec<_>>(), drawn);
        assert!(of(Drawn::Bars)[0].starts_with("Medians of 2 trials; thin strokes"));
        assert_eq!(of(Drawn::Curves), ["All requests of 2 trials together."]);
    }

    #[test]
    fn what_is_starved_or_missing_is_said_once() {
        let mut failed = row("b", 0.0, Outcome::Failed);
        failed.rate_per_s = None;
        let starved = Row { served: Some(1), ..row("a", 1.0, Outcome::Starved) };
        let rows = [starved.clone(), Row { connections: 100, ..starved }, failed];
        let points = points(&rows, App::Echo, &[]);
        let notes = notes(None, &points.iter().collect::<Vec<_>>(), Drawn::Dots);
        assert_eq!(notes[0], "Hollow: not every client was served: a (serves 1 at once).");
        assert_eq!(notes[1], "No number at so many connections: b (9); trials.csv says why.");
    }

    #[test]
    fn a_figure_speaks_only_of_marks_that_it_has() {
        let doubted = Row { verdict_reasons: Some("drift".into()), ..row("a", 1.0, Outcome::Ok) };
        let disturbed = Row { host_others_cpus: Some(0.5), ..row("b", 1.0, Outcome::Ok) };
        let rows =
            [doubted, disturbed, row("c", 1.0, Outcome::Invalid), row("d", 1.0, Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        let points: Vec<_> = points.iter().collect();
        let doubts = Doubts::of(&rows);
        let all = notes(Some(&doubts), &points, Drawn::Bars).join("\n");
        for words in ["c (invalid)", "other programs used the host", "for its drift"] {
            assert!(all.contains(words), "{all}");
        }
        assert!(!notes(None, &points, Drawn::Bars).join("\n").contains("drift"));
        let shares = notes(None, &points, Drawn::Shares);
        assert_eq!(shares, ["One trial a point: small differences mean nothing."]);
    }

    #[test]
    fn of_several_policies_the_one_that_is_meant_is_named() {
        let of =
            |policy: &str, outcome| Row { policy: Some(policy.into()), ..row("a", 1.0, outcome) };
        let rows = [of("ring", Outcome::Invalid), of("random", Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        let said = notes(None, &points.iter().collect::<Vec<_>>(), Drawn::Bars);
        assert_eq!(said[0], "Pale: not ranked: a with ring (invalid).");
    }
}
