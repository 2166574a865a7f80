//! The trials of one cell together.

use crate::experiment::App;
use crate::record::{Limit, Outcome, Row};
use crate::stats::median;

/// All trials of one cell.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// The model.
    pub model: &'a str,
    /// How a proxy chose among its backends, where the experiment says.
    pub policy: Option<&'a str>,
    /// Active connections.
    pub connections: u64,
    /// Idle connections.
    pub idle: u64,
    /// Octets of payload.
    pub size: Option<u64>,
    /// Requests a second asked for, in an open loop.
    pub rate_asked: Option<u64>,
    /// The trials, in the order they were made.
    pub rows: Vec<&'a Row>,
}

impl<'a> Point<'a> {
    /// The median of a column over the trials that have a number there.
    pub fn median(&self, column: impl Fn(&Row) -> Option<f64>) -> Option<f64> {
        median(&self.values(column))
    }

    /// The smallest and the largest value of a column.
    pub fn range(&self, column: impl Fn(&Row) -> Option<f64>) -> Option<(f64, f64)> {
        let values = self.values(column);
        let low = values.iter().copied().min_by(f64::total_cmp)?;
        Some((low, values.iter().copied().max_by(f64::total_cmp)?))
    }

    /// The same, where it has several: how far they lie apart.
    pub fn spread(&self, column: impl Fn(&Row) -> Option<f64>) -> Option<(f64, f64)> {
        self.range(column).filter(|(low, high)| low < high)
    }

    /// The values of a column, one a trial that has one.
    pub fn values(&self, column: impl Fn(&Row) -> Option<f64>) -> Vec<f64> {
        let measured = self.rows.iter().filter(|row| row.outcome.measured());
        measured.filter_map(|row| column(row)).collect()
    }

    /// The model, with the policy where there is one.
    #[must_use]
    pub fn name(&self) -> String {
        let policy = self.policy.map_or_else(String::new, |policy| format!(", {policy}"));
        format!("{}{policy}", self.model)
    }

    /// The median rate.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.median(|row| row.rate_per_s)
    }

    /// The first outcome that is not `ok`, if there is one.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let flawed = self.rows.iter().map(|row| row.outcome).find(|outcome| !outcome.full());
        flawed.unwrap_or(Outcome::Ok)
    }

    /// How many clients were served: the smallest count of all repeats.
    #[must_use]
    pub fn served(&self) -> Option<u64> {
        self.rows.iter().filter_map(|row| row.served).min()
    }

    /// Whether most of the trials of a closed loop were limited by the load generator: the model
    /// can do more.
    #[must_use]
    pub fn client_limited(&self) -> bool {
        let limited = self.rows.iter().filter(|row| row.limited_by == Some(Limit::Client)).count();
        self.rate_asked.is_none() && 2 * limited > self.rows.len()
    }

    /// Whether the load generator stands by the times of all trials.
    #[must_use]
    pub fn times_hold(&self) -> bool {
        self.rows.iter().all(|row| row.times_hold())
    }

    /// Whether other programs took part in any of the trials.
    #[must_use]
    pub fn disturbed(&self) -> bool {
        self.rows.iter().any(|row| row.disturbed())
    }

    fn holds(&self, row: &Row) -> bool {
        self.model == row.model
            && self.policy == row.policy.as_deref()
            && (self.connections, self.idle, self.size, self.rate_asked)
                == (row.connections, row.idle, row.size_octets, row.rate_asked_per_s)
    }

    fn of(row: &'a Row) -> Self {
        let Row { connections, idle, size_octets: size, rate_asked_per_s: rate_asked, .. } = *row;
        let policy = row.policy.as_deref();
        Self { model: &row.model, policy, connections, idle, size, rate_asked, rows: vec![row] }
    }
}

/// The cells of one app, by model in the order given, then by policy, connections, idle ones and
/// size. Models that the order does not know come last.
#[must_use]
pub fn points<'a>(rows: &'a [Row], app: App, order: &[String]) -> Vec<Point<'a>> {
    let mut points: Vec<Point<'a>> = Vec::new();
    for row in rows.iter().filter(|row| row.is_app(app)) {
        match points.iter_mut().find(|point| point.holds(row)) {
            Some(point) => point.rows.push(row),
            None => points.push(Point::of(row)),
        }
    }
    let place = |model: &str| order.iter().position(|name| name == model).unwrap_or(order.len());
    points.sort_by_key(|p| {
        (place(p.model), p.model, p.policy, p.connections, p.idle, p.size, p.rate_asked)
    });
    points
}

/// The different values of a key, in ascending order.
pub fn distinct<T: Ord>(points: &[Point<'_>], key: impl Fn(&Point<'_>) -> T) -> Vec<T> {
    let mut values: Vec<T> = points.iter().map(key).collect();
    values.sort();
    values.dedup();
    values
}

/// The number of connections at which models are compared where a figure has room for one: the
/// largest at which two thirds of the models serve everybody, or else the one at which the most do.
#[must_use]
pub fn representative(points: &[Point<'_>]) -> Option<u64> {
    fairest(points, |point| point.connections)
}

/// The same of the rates asked for; `None` in a closed loop.
#[must_use]
pub fn representative_rate(points: &[&Point<'_>]) -> Option<u64> {
    let points: Vec<_> = points.iter().map(|point| (*point).clone()).collect();
    fairest(&points, |point| point.rate_asked).flatten()
}

fn fairest<K: Ord + Copy>(points: &[Point<'_>], key: impl Fn(&Point<'_>) -> K) -> Option<K> {
    let candidates = distinct(points, &key);
    let here = |value: &K| points.iter().filter(|point| key(point) == *value).collect::<Vec<_>>();
    let full = |value: &K| here(value).iter().filter(|point| point.outcome().full()).count();
    let most = candidates.iter().rev().find(|value| 3 * full(value) >= 2 * here(value).len());
    most.or_else(|| candidates.iter().max_by_key(|value| full(value))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, connections: u64, rate: f64, outcome: Outcome) -> Row {
        let app = "echo".into();
        Row {
            model: model.into(),
            app,
            connections,
            outcome,
            rate_per_s: Some(rate),
            ..Row::default()
        }
    }

    #[test]
    fn repeats_fall_together_and_a_failed_one_does_not_count() {
        let rows = [
            row("a", 1, 10.0, Outcome::Ok),
            row("b", 1, 5.0, Outcome::Ok),
            row("a", 1, 30.0, Outcome::Ok),
            row("a", 1, 1e9, Outcome::Failed),
        ];
        let points = points(&rows, App::Echo, &["b".into(), "a".into()]);
        assert_eq!(points.iter().map(|p| p.model).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(points[1].rate(), Some(20.0));
        assert_eq!(points[1].range(|row| row.rate_per_s), Some((10.0, 30.0)));
        assert_eq!(points[1].outcome(), Outcome::Failed);
    }

    #[test]
    fn models_are_compared_where_two_thirds_of_them_serve_everybody() {
        let cell = |outcome| {
            move |model| [row(model, 10, 1.0, Outcome::Ok), row(model, 100, 1.0, outcome)]
        };
        let mut rows: Vec<_> = ["a", "b"].into_iter().flat_map(cell(Outcome::Ok)).collect();
        rows.extend(cell(Outcome::Starved)("c"));
        assert_eq!(representative(&points(&rows, App::Echo, &[])), Some(100));
        rows.extend(cell(Outcome::Starved)("d"));
        assert_eq!(representative(&points(&rows, App::Echo, &[])), Some(10));
        assert_eq!(representative(&[]), None);
    }
}
