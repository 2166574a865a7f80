//! Where the kernel is known to change its ways: is there a step in this data?
//!
//! select(2) keeps its bit sets on the stack up to 320 descriptors and allocates them from there
//! on; poll(2) keeps 30 lines on the stack and the rest in pages of 510 (fs/select.c). Each is
//! looked for among the conditions with one active connection within a factor of three of it, by a
//! line with a step: `a + b·n + d·[n > knee]`. There is one if the 95 % interval of `d` does not
//! contain 0.

use serde::Serialize;

use super::fit::observations;
use super::regression::{Estimate, regress};
use super::row::{Point, Row, points};

/// How far around a knee is looked.
const AROUND: f64 = 3.0;
/// Conditions on either side, below which a step is not told from a slope.
const SIDE: usize = 2;

/// A number at which the kernel changes its ways.
#[derive(Clone, Copy, Debug)]
pub struct Knee {
    /// The pollers.
    pub pollers: &'static [&'static str],
    /// The last number before it.
    pub at: usize,
    /// What is counted.
    pub counted: Counted,
    /// What changes.
    pub change: &'static str,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// The highest descriptor and all below it.
    Numbers,
    /// Watched descriptors.
    Lines,
}

/// All that are known.
pub const KNEES: [Knee; 3] = [
    Knee {
        pollers: &["select", "select-wide"],
        at: 320,
        counted: Counted::Numbers,
        change: "bit sets come from the allocator instead of the stack",
    },
    Knee {
        pollers: &["poll"],
        at: 30,
        counted: Counted::Lines,
        change: "lines beyond the stack's go to a page",
    },
    Knee {
        pollers: &["poll"],
        at: 540,
        counted: Counted::Lines,
        change: "a second page is needed",
    },
];

/// What the data says about a knee.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The poller.
    pub poller: String,
    /// The last number before the knee.
    pub at: usize,
    /// What changes there.
    pub change: &'static str,
    /// Nanoseconds; none where there are too few conditions around it.
    pub height: Option<Estimate>,
}

impl Step {
    /// What is known, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { poller, at, change, .. } = self;
        let found = match self.height {
            None => "too few conditions around it to say".into(),
            Some(Estimate { value, interval: Some((low, high)) }) => {
                let there = if low > 0.0 || high < 0.0 { "a step" } else { "no step that shows" };
                format!("{there}, {value:.0} ns (95 %: {low:.0} to {high:.0})")
            }
            Some(Estimate { value, .. }) => format!("{value:.0} ns in a single pass"),
        };
        format!("{poller} beyond {at} ({change}): {found}.")
    }
}

/// Looks for every known knee of the pollers that were measured.
#[must_use]
pub fn steps(rows: &[Row], pollers: &[&str], seed: u64) -> Vec<Step> {
    let of = |poller: &&str| KNEES.iter().filter(|knee| knee.pollers.contains(poller)).collect();
    let each = pollers.iter().flat_map(|poller| {
        let knees: Vec<_> = of(poller);
        knees.into_iter().map(|knee| step(rows, poller, knee, seed))
    });
    each.collect()
}

fn step(rows: &[Row], poller: &str, knee: &Knee, seed: u64) -> Step {
    let at = knee.at as f64;
    let near = |point: &Point<'_>| {
        let ratio = count(point, knee.counted) / at;
        point.active == 1 && (1.0 / AROUND..=AROUND).contains(&ratio)
    };
    let around: Vec<_> = points(rows, poller).into_iter().filter(near).collect();
    let beyond = |point: &Point<'_>| f64::from(count(point, knee.counted) > at);
    let above = around.iter().filter(|point| beyond(point) > 0.0).count();
    let terms = |point: &Point<'_>| vec![1.0, count(point, knee.counted), beyond(point)];
    let enough = above >= SIDE && around.len() - above >= SIDE && around.len() > 2 * SIDE;
    let found = enough.then(|| regress(&observations(&around, terms), seed)).flatten();
    let height = found.map(|(estimates, _)| estimates[2]);
    Step { poller: poller.into(), at: knee.at, change: knee.change, height }
}

fn count(point: &Point<'_>, counted: Counted) -> f64 {
    let lines = point.idle + point.active;
    let number = match counted {
        Counted::Lines => lines,
        Counted::Numbers => point.rows.iter().find_map(|row| row.highest_fd).unwrap_or(lines),
    };
    number as f64
}
