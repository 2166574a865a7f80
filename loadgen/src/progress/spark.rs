//! The last minute as a curve of small blocks, one a second.

use std::collections::VecDeque;

use super::sight::{Phase, Sight};

/// Seconds that are kept.
const SECONDS: usize = 60;

/// From nearly nothing to the largest value of the curve.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What the last seconds were like.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    seconds: VecDeque<Second>,
}

#[derive(Clone, Copy, Debug)]
struct Second {
    answered: u64,
    p99_ns: Option<u64>,
}

/// Values over time, with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    /// Answers a second.
    Rate(Vec<Option<u64>>),
    /// Nanoseconds; none in a second without an answer.
    P99(Vec<Option<u64>>),
}

impl Trail {
    /// Keeps the second that has just gone by, unless there was no load yet.
    pub fn push(&mut self, sight: &Sight) {
        if sight.phase == Phase::Connecting {
            return;
        }
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        let recent = &sight.recent;
        self.seconds.push_back(Second { answered: recent.answered, p99_ns: recent.p99_ns });
    }

    /// The p99 of each second or, where latencies are not known, the rate.
    pub(super) fn curve(&self) -> Curve {
        if self.seconds.iter().any(|second| second.p99_ns.is_some()) {
            Curve::P99(self.seconds.iter().map(|second| second.p99_ns).collect())
        } else {
            Curve::Rate(self.seconds.iter().map(|second| Some(second.answered)).collect())
        }
    }
}

/// A block for each value, as high as its share of the largest; a gap is a space.
pub(super) fn blocks(values: &[Option<u64>]) -> String {
    let largest = values.iter().flatten().max().copied().unwrap_or(0).max(1);
    let block = |value: u64| {
        let level = u128::from(value) * BLOCKS.len() as u128 / u128::from(largest);
        BLOCKS[(level as usize).min(BLOCKS.len() - 1)]
    };
    values.iter().map(|value| value.map_or(' ', block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Moments;

    #[test]
    fn blocks_are_shares_of_the_largest() {
        assert_eq!(blocks(&[Some(0), Some(4), None, Some(8)]), "▁▅ █");
        assert_eq!(blocks(&[Some(0), Some(0)]), "▁▁");
        assert_eq!(blocks(&[Some(u64::MAX)]), "█");
        assert_eq!(blocks(&[]), "");
    }

    #[test]
    fn a_trail_ends_after_a_minute_and_begins_with_the_load() {
        let mut trail = Trail::default();
        trail.push(&Sight { phase: Phase::Connecting, ..Sight::default() });
        assert_eq!(trail.curve(), Curve::Rate(vec![]));
        for answered in 0..100 {
            let recent = Moments { answered, ..Moments::default() };
            trail.push(&Sight { recent, ..Sight::default() });
        }
        assert_eq!(trail.curve(), Curve::Rate((40..100).map(Some).collect()));
        let recent = Moments { p99_ns: Some(7), ..Moments::default() };
        trail.push(&Sight { recent, ..Sight::default() });
        let Curve::P99(values) = trail.curve() else { panic!("latencies are known") };
        assert_eq!((values.len(), values[58], values[59]), (60, None, Some(7)));
    }
}
