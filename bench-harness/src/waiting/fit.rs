//! What a wait of one poller costs, as a formula.

use serde::Serialize;

use super::regression::{Estimate, Observation, predict, regress};
use super::row::{Point, Row, points};

/// A formula for the nanoseconds of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Formula {
    /// `a + b·idle + c·active`.
    Plain,
    /// `a + b·idle + c·active + q·idle/(active + 1)`: so many idle descriptors lie ahead of the
    /// first that is ready, and are asked to call back before select(2) and poll(2) find it.
    Queued,
}

impl Formula {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Queued];

    /// The value of each term.
    #[must_use]
    pub fn terms(self, idle: f64, active: f64) -> Vec<f64> {
        match self {
            Self::Plain => vec![1.0, idle, active],
            Self::Queued => vec![1.0, idle, active, idle / (active + 1.0)],
        }
    }

    /// Its name in a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Queued => "queued",
        }
    }
}

/// A fitted formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The poller.
    pub poller: String,
    /// The formula.
    pub formula: Formula,
    /// `a`, `b`, `c` and, where there is one, `q`.
    pub coefficients: Vec<Estimate>,
    /// The share of the weighted variance that is explained.
    pub r_squared: f64,
    /// The condition that it is the farthest off at.
    pub worst: Worst,
    /// Conditions.
    pub conditions: usize,
}

/// The largest relative residual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// Measured over fitted, less one.
    pub relative: f64,
    /// Where.
    pub idle: usize,
    /// Where.
    pub active: usize,
}

impl Fit {
    /// Fits a formula to the rows of a poller; none where they do not determine it.
    #[must_use]
    pub fn of(rows: &[Row], poller: &str, formula: Formula, seed: u64) -> Option<Self> {
        let points = points(rows, poller);
        let terms = |point: &Point<'_>| formula.terms(point.idle as f64, point.active as f64);
        let (coefficients, r_squared) = regress(&observations(&points, terms), seed)?;
        let mut fit = Self {
            poller: poller.into(),
            formula,
            coefficients,
            r_squared,
            worst: Worst { relative: 0.0, idle: 0, active: 0 },
            conditions: points.len(),
        };
        let residuals = points.iter().filter_map(|point| fit.residual(point));
        let worst =
            residuals.max_by(|one, other| one.relative.abs().total_cmp(&other.relative.abs()));
        fit.worst = worst?;
        Some(fit)
    }

    /// What the formula says.
    #[must_use]
    pub fn at(&self, idle: f64, active: f64) -> f64 {
        let coefficients = self.coefficients.iter().map(|estimate| estimate.value);
        predict(&self.formula.terms(idle, active), coefficients)
    }

    /// What each idle descriptor adds beside so many active ones.
    #[must_use]
    pub fn slope(&self, active: f64) -> f64 {
        self.at(1.0, active) - self.at(0.0, active)
    }

    fn residual(&self, point: &Point<'_>) -> Option<Worst> {
        let (idle, active) = (point.idle, point.active);
        let relative = point.typical()? / self.at(idle as f64, active as f64) - 1.0;
        Some(Worst { relative, idle, active })
    }
}

/// Each row of the points, with these terms.
#[must_use]
pub fn observations(
    points: &[Point<'_>],
    terms: impl Fn(&Point<'_>) -> Vec<f64>,
) -> Vec<Observation> {
    let mut all = Vec::new();
    for point in points {
        let Some(size) = point.typical().filter(|size| *size > 0.0) else { continue };
        let rows = point.rows.iter().filter_map(|row| Some((row.pass, row.wait_middle_mean_ns?)));
        let terms = terms(point);
        all.extend(rows.map(|(pass, value)| Observation {
            pass,
            terms: terms.clone(),
            value,
            size,
        }));
    }
    all
}

/// A line of `fit.csv`.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    poller: &'a str,
    formula: Formula,
    term: &'static str,
    unit: &'static str,
    value: f64,
    low95: Option<f64>,
    high95: Option<f64>,
    r_squared: f64,
    worst_relative: f64,
    worst_idle: usize,
    worst_active: usize,
    conditions: usize,
}

/// The names and units of coefficients.
pub const TERMS: [(&str, &str); 4] = [
    ("a", "ns"),
    ("b", "ns per idle descriptor"),
    ("c", "ns per active descriptor"),
    ("q", "ns per idle descriptor ahead of the first active one"),
];

/// A line a coefficient.
pub fn lines(fit: &Fit) -> impl Iterator<Item = Line<'_>> {
    TERMS.iter().zip(&fit.coefficients).map(|(&(term, unit), estimate)| Line {
        poller: &fit.poller,
        formula: fit.formula,
        term,
        unit,
        value: estimate.value,
        low95: estimate.interval.map(|(low, _)| low),
        high95: estimate.interval.map(|(_, high)| high),
        r_squared: fit.r_squared,
        worst_relative: fit.worst.relative,
        worst_idle: fit.worst.idle,
        worst_active: fit.worst.active,
        conditions: fit.conditions,
    })
}
