//! What a figure says, computed from its numbers; and what it must not say.
//!
//! Only models that served every client on an undisturbed host are compared. They are ranked where
//! their trials tell them apart: all of them together, and the two ends from each other. A ratio
//! whose larger side was held down by the load generator is a lower bound.

use crate::record::Row;
use crate::report::number::grouped;
use crate::stats::cell::Point;
use crate::stats::ranks::told_apart;

/// Below this ratio the models are called alike, where several trials a point are apart.
const ALIKE: f64 = 1.10;
/// The same where there is one trial a point, and nothing to tell how far two of them lie apart.
const ALIKE_ONCE: f64 = 1.25;
/// The same of a percentile of times. Of two trials of one proxy at a modest rate one found a 99th
/// percentile more than twice as high in half of the cases, and more than five times in one of ten;
/// and here the highest and the lowest of many are picked out.
const TIMES_ALIKE_ONCE: f64 = 10.0;

/// Up to so many percent apart, models are said to be close; beyond that, not to be told apart.
const CLOSE: f64 = 25.0;

/// The two ends of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Contrast<'a> {
    pub(super) most: (&'a str, f64),
    pub(super) least: (&'a str, f64),
    /// How many models were compared.
    pub(super) models: usize,
    /// Whether the trials tell the models apart, and those of the two ends do not overlap.
    pub(super) apart: bool,
    /// Below this ratio they are called alike.
    pub(super) alike_below: f64,
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
        self.apart && self.ratio() >= self.alike_below
    }

    /// Whether that holds of a rate, which the load generator may have held down on either side.
    pub(super) fn clear_rate(&self) -> bool {
        self.clear() && !self.unbounded
    }

    /// What to say of those that are alike: `lie within 7 %`, or that the trials scatter as widely.
    pub(super) fn alike(&self) -> String {
        let percent = (100.0 * (self.ratio() - 1.0)).ceil();
        match percent < CLOSE {
            true => format!("lie within {percent:.0} %"),
            false if self.alike_below > ALIKE => "can't be ranked by one trial each".into(),
            false => "can't be told apart: trials of one differ as much".into(),
        }
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
    let found = contrast_of(points, |p| p.outcome().full() && p.times_hold(), column)?;
    let alike_below = if found.alike_below > ALIKE { TIMES_ALIKE_ONCE } else { ALIKE };
    Some(Contrast { alike_below, ..found })
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
    let groups: Vec<_> = ranked.iter().map(|(_, point)| point.values(&column)).collect();
    let repeated = least.rows.len() > 1 && most.rows.len() > 1;
    let (_, top_of_least) = least.range(&column)?;
    let (bottom_of_most, _) = most.range(&column)?;
    Some(Contrast {
        most: (name(most), high),
        least: (name(least), low),
        models: ranked.len(),
        apart: bottom_of_most > top_of_least && told_apart(&groups) != Some(false),
        alike_below: if repeated { ALIKE } else { ALIKE_ONCE },
        at_least: most.client_limited(),
        unbounded: least.client_limited(),
    })
}

/// `100 connections`, `1 connection`.
pub(super) fn connections(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} connection{plural}", grouped(count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::record::{Limit, Outcome};
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
    fn the_two_ends_of_many_that_are_alike_are_not_ranked() {
        // Ends that lie apart by themselves, among models whose trials mix.
        let trials = [
            [1.0, 1.1, 1.2],
            [1.01, 1.3, 1.9],
            [1.05, 1.4, 1.8],
            [1.15, 1.25, 1.7],
            [1.02, 1.35, 1.85],
            [1.08, 1.45, 1.75],
            [1.5, 1.55, 1.6],
        ];
        let rows: Vec<_> = (0..7)
            .flat_map(|n| {
                trials[n].map(|rate| row(["a", "b", "c", "d", "e", "f", "g"][n], rate, Outcome::Ok))
            })
            .collect();
        let of = |models: &[&str]| {
            let rows: Vec<_> =
                rows.iter().filter(|row| models.contains(&row.model.as_str())).cloned().collect();
            let points = points(&rows, App::Echo, &[]);
            contrast(&points.iter().collect::<Vec<_>>(), rate).unwrap().clear()
        };
        assert!(of(&["a", "g"]));
        assert!(!of(&["a", "b", "c", "d", "e", "f", "g"]));
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
    fn the_disturbed_are_not_compared() {
        let disturbed = Row { host_others_cpus: Some(0.5), ..row("b", 40.0, Outcome::Ok) };
        let rows = [row("a", 10.0, Outcome::Ok), disturbed];
        let points = points(&rows, App::Echo, &[]);
        let all: Vec<_> = points.iter().collect();
        assert_eq!(contrast(&all, rate), None);
    }

    #[test]
    fn one_model_alone_is_no_comparison() {
        let rows = [row("a", 10.0, Outcome::Ok)];
        let points = points(&rows, App::Echo, &[]);
        assert_eq!(contrast(&points.iter().collect::<Vec<_>>(), rate), None);
    }
}
