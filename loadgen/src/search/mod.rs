//! The highest rate at which an objective holds.
//!
//! ```text
//!   going up      start ─×2─▶ ×2 ─▶ … until it fails ─▶ halve what lies between, as long as
//!                                                       it is wider than the tolerance
//!   coming down   from the rate where it failed going up, each time after an overload
//! ```
//!
//! A rate is judged by a sequential test: one more trial at a time, until the case is clear or
//! patience ends ([`Evidence`]). An overloaded server may stay slow when the load goes back, with a
//! queue, a heap or a crowd of threads that doesn't shrink. That is why the way down is measured
//! too, and each of its steps begins with an overload. If the two intervals lie clearly apart, that
//! is hysteresis. (Such a server is overloaded going up as well, by the first stride too far; the
//! interval then ends above the last rate that held before.)
//!
//! [`seek`] knows nothing of sockets: it asks a [`Trial`]. [`run`] gives it real ones.

mod answer;
mod evidence;
mod live;
mod objective;
mod seeker;
mod text;

use serde::Serialize;

use crate::failure::Failure;

pub use self::answer::{Agreement, Ceiling, Direction, Found, Range, Step};
pub use self::evidence::Evidence;
pub use self::live::run;
pub use self::objective::{Condition, Objective, Within};
pub use self::seeker::{Options, seek};
pub use self::text::{line, text};

/// A server under a rate, for a while.
pub trait Trial {
    /// Puts the server under `rate` requests a second and counts. Two trials at the same rate must
    /// be independent, so they need seeds of their own.
    ///
    /// # Errors
    /// [`Failure::Failed`] if the server can't be reached, and others if it makes no sense to go
    /// on.
    fn run(&mut self, rate: f64) -> Result<Outcome, Failure>;
}

/// What one trial found.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// All requests that were planned.
    pub requests: u64,
    /// For each condition of the objective, how many of them missed it. One without an answer
    /// misses all.
    pub missed: Vec<u64>,
    /// How many independent requests would tell as much: fewer than `requests`, as those that
    /// follow each other share their fate.
    pub effective: f64,
    /// How long it took, in nanoseconds.
    pub elapsed_ns: u64,
    /// Whether the rate was what was asked for.
    pub pace: Pace,
}

/// Whether the rate was what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It was.
    Kept,
    /// Fewer requests were made than planned, and not for want of time to make them.
    Short,
    /// The load generator itself was late: the trial says nothing about the server.
    GeneratorLimited,
}

/// What is found at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The objective holds.
    Holds,
    /// It doesn't.
    Fails,
    /// The load generator can't tell.
    GeneratorLimited,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// As sure as was asked for.
    Clear,
    /// Patience ended before; the finding is the likelier one.
    Unclear,
}

#[cfg(test)]
mod simulation;
