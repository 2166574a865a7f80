//! When requests are to be sent: planned before the run, by a seed, and the same against every
//! server.

use std::str::FromStr;
use std::time::Duration;

/// A plan of send times.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// How the times are spread.
    pub pattern: Pattern,
    /// Requests a second, over all threads and all agents, in the long run.
    pub rate: f64,
    /// The same seed gives the same times.
    pub seed: u64,
    /// Time before measuring begins: what changes with time begins after it.
    pub lead: Duration,
    /// The length of the measuring phase.
    pub length: Duration,
}

/// How send times are spread.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// Equal gaps.
    Constant,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "constant" => Ok(Self::Constant),
            _ => Err(format!("{text:?} is not a pattern of arrivals")),
        }
    }
}

/// One of several that share a schedule: it takes every `of`-th time, beginning with `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Counted from 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// The send times of one lane in nanoseconds since the load began, in order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    gap_ns: f64,
    next: u64,
    of: u64,
}

impl Schedule {
    /// The times of one lane. All lanes together have exactly the times of the schedule.
    #[must_use]
    pub fn arrivals(&self, lane: Lane) -> Arrivals {
        Arrivals { gap_ns: 1e9 / self.rate, next: lane.index, of: lane.of }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let at = self.next as f64 * self.gap_ns;
        self.next += self.of;
        Some(at as u64)
    }
}
