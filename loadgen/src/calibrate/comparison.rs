//! A figure that was found beside the one that was to be found, and whether that is close enough.
//!
//! There are two of the latter. The closed form speaks of all schedules on average; the exact
//! answer to the schedule of the run has no chance left in it. The distance from the first is the
//! error of the whole calibration; the distance from the second is the bias, which is what the load
//! generator and the kernel add.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::recorder::Times;

/// How far a percentile may be from what it should be: 1 %, or 10 µs if that is more.
const PERCENTILE_PART: f64 = 0.01;
const PERCENTILE_NS: f64 = 10_000.0;

/// How far a mean may be: 2 %.
const MEAN_PART: f64 = 0.02;

/// What is read off a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistic {
    /// The value that a part of all doesn't exceed.
    Quantile(f64),
    /// The arithmetic mean.
    Mean,
}

/// What decides whether a figure holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reference {
    /// The closed form.
    Analytic,
    /// The exact answer to the schedule of the run.
    Schedule,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Expectation {
    pub(crate) statistic: Statistic,
    /// By the closed form.
    pub(crate) analytic_ns: f64,
    /// By the exact answer to this very schedule, which no chance has a part in.
    pub(crate) exact_ns: f64,
    /// Which of the two decides.
    pub(crate) reference: Reference,
}

/// A figure that was found beside what it should be.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) expectation: Expectation,
    pub(crate) measured_ns: f64,
    /// From the closed form.
    pub(crate) error_ns: f64,
    /// From the exact answer: what the load generator and the kernel add.
    pub(crate) bias_ns: f64,
    /// How far it may be from what decides.
    pub(crate) allowed_ns: f64,
    pub(crate) holds: bool,
}

impl Statistic {
    fn of(self, times: &Times) -> f64 {
        match self {
            Self::Quantile(quantile) => times.histogram().value_at_quantile(quantile) as f64,
            Self::Mean => times.histogram().mean(),
        }
    }

    fn allowed_ns(self, expected: f64) -> f64 {
        match self {
            Self::Quantile(_) => (expected * PERCENTILE_PART).max(PERCENTILE_NS),
            Self::Mean => expected * MEAN_PART,
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(quantile) => write!(formatter, "p{}", quantile * 100.0),
            Self::Mean => formatter.write_str("mean"),
        }
    }
}

impl Serialize for Statistic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Expectation {
    pub(crate) fn against(self, measured_ns: f64) -> Row {
        let (error_ns, bias_ns) = (measured_ns - self.analytic_ns, measured_ns - self.exact_ns);
        let (expected, off) = match self.reference {
            Reference::Analytic => (self.analytic_ns, error_ns),
            Reference::Schedule => (self.exact_ns, bias_ns),
        };
        let allowed_ns = self.statistic.allowed_ns(expected);
        let holds = off.abs() <= allowed_ns;
        Row { expectation: self, measured_ns, error_ns, bias_ns, allowed_ns, holds }
    }
}

/// Holds all figures of a run against what they should be.
pub(crate) fn rows(expectations: &[Expectation], times: &Times) -> Vec<Row> {
    let measured = |one: &Expectation| one.against(one.statistic.of(times));
    expectations.iter().map(measured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const P99: Statistic = Statistic::Quantile(0.99);

    fn row(statistic: Statistic, reference: Reference, measured_ns: f64) -> Row {
        let (analytic_ns, exact_ns) = (4_000_000.0, 4_010_000.0);
        Expectation { statistic, analytic_ns, exact_ns, reference }.against(measured_ns)
    }

    #[test]
    fn a_planted_bias_is_flagged() {
        assert!(row(P99, Reference::Analytic, 4_039_000.0).holds);
        assert!(!row(P99, Reference::Analytic, 4_041_000.0).holds);
        assert!(row(P99, Reference::Analytic, 3_961_000.0).holds);
        assert!(!row(P99, Reference::Analytic, 3_959_000.0).holds);
    }

    #[test]
    fn the_reference_decides_and_both_distances_are_told() {
        let row = row(P99, Reference::Schedule, 4_050_000.0);
        assert!(row.holds);
        assert_eq!((row.error_ns, row.bias_ns), (50_000.0, 40_000.0));
        assert!(!self::row(P99, Reference::Schedule, 4_051_000.0).holds);
    }

    #[test]
    fn ten_microseconds_are_always_allowed_and_a_mean_has_two_per_cent() {
        let short = |measured_ns| {
            let reference = Reference::Analytic;
            let (analytic_ns, exact_ns) = (50_000.0, 50_000.0);
            Expectation { statistic: P99, analytic_ns, exact_ns, reference }.against(measured_ns)
        };
        assert!(short(59_999.0).holds && !short(60_001.0).holds);
        assert!(row(Statistic::Mean, Reference::Analytic, 4_079_000.0).holds);
        assert!(!row(Statistic::Mean, Reference::Analytic, 4_081_000.0).holds);
    }

    #[test]
    fn the_figures_are_those_of_the_distribution() {
        let mut times = Times::default();
        (1..=1000).for_each(|nanos| times.record(nanos));
        let expectation = Expectation {
            statistic: Statistic::Quantile(0.9),
            analytic_ns: 900.0,
            exact_ns: 900.0,
            reference: Reference::Analytic,
        };
        let mean = Expectation { statistic: Statistic::Mean, ..expectation };
        let rows = rows(&[expectation, mean], &times);
        assert_eq!((rows[0].measured_ns, rows[1].measured_ns), (900.0, 500.5));
        assert_eq!(rows[0].expectation.statistic.to_string(), "p90");
    }
}
