//! What a search found, for programs.

use serde::Serialize;

use super::{Certainty, Evidence, Finding};

/// What a search found. Rates are in requests a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// What had to hold.
    pub objective: String,
    /// The probability with which a clear step is right.
    pub confidence: f64,
    /// Up to which ratio of its ends, less 1, an interval was narrowed down.
    pub tolerance: f64,
    /// Going up, from a rate at which the objective holds.
    pub up: Range,
    /// Coming down from an overload; none if no rate was found that is one.
    pub down: Option<Range>,
    /// What the two say together.
    pub agreement: Agreement,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Run time of all trials in nanoseconds.
    pub elapsed_ns: u64,
}

/// Where the highest rate lies at which the objective holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// Between a rate at which it holds and one at which it fails.
    Between {
        /// It holds.
        low: f64,
        /// It fails.
        high: f64,
    },
    /// It holds here, and nothing is known about higher rates.
    AtLeast {
        /// It holds.
        low: f64,
        /// Why not.
        because: Ceiling,
    },
    /// It fails even at the lowest rate that was allowed.
    Below {
        /// It fails.
        high: f64,
    },
    /// The load generator was the limit at every rate.
    Unknown,
}

/// What kept a search from higher rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ceiling {
    /// The load generator is the limit.
    Generator,
    /// A higher rate was not allowed.
    Highest,
}

/// What the ways up and down say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// The intervals overlap.
    Overlap,
    /// They don't, but a step that separates them was not clear.
    Unclear,
    /// They don't, and both steps that separate them were clear: what the server can do depends on
    /// what it had to do before.
    Hysteresis,
    /// There is only one way.
    OneWay,
}

/// The way a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Going up.
    Up,
    /// Coming down.
    Down,
}

/// A rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// On which way.
    pub direction: Direction,
    /// Requests a second.
    pub rate: f64,
    /// What was found.
    pub finding: Finding,
    /// How sure that is.
    pub certainty: Certainty,
    /// What it rests on.
    pub evidence: Evidence,
}

impl Range {
    /// A rate at which the objective holds.
    #[must_use]
    pub fn low(&self) -> Option<f64> {
        match *self {
            Self::Between { low, .. } | Self::AtLeast { low, .. } => Some(low),
            Self::Below { .. } | Self::Unknown => None,
        }
    }

    /// A rate at which it fails.
    #[must_use]
    pub fn high(&self) -> Option<f64> {
        match *self {
            Self::Between { high, .. } | Self::Below { high } => Some(high),
            Self::AtLeast { .. } | Self::Unknown => None,
        }
    }

    /// Where this interval ends below the begin of the other.
    fn gap_below(&self, other: &Self) -> Option<(f64, f64)> {
        self.high().zip(other.low()).filter(|(high, low)| high < low)
    }
}

impl Agreement {
    /// Compares the two ways.
    pub(crate) fn of(up: &Range, down: Option<&Range>, steps: &[Step]) -> Self {
        let Some(down) = down.filter(|range| **range != Range::Unknown) else {
            return Self::OneWay;
        };
        let clear = |direction, rate| {
            let at = |step: &&Step| step.direction == direction && step.rate == rate;
            steps.iter().rfind(at).is_some_and(|step| step.certainty == Certainty::Clear)
        };
        let (fails, holds) = match (down.gap_below(up), up.gap_below(down)) {
            (Some((fails, holds)), _) => ((Direction::Down, fails), (Direction::Up, holds)),
            (_, Some((fails, holds))) => ((Direction::Up, fails), (Direction::Down, holds)),
            (None, None) => return Self::Overlap,
        };
        if clear(fails.0, fails.1) && clear(holds.0, holds.1) {
            Self::Hysteresis
        } else {
            Self::Unclear
        }
    }
}
