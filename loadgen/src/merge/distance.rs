//! How much two distributions differ: the two-sample statistic of Kolmogorov and Smirnov, and by
//! which factor the quantiles differ.
//!
//! With a million requests each, a difference of a microsecond is significant and means nothing. So
//! a difference counts only if it is also large: three tenths of all requests on the wrong side,
//! and a quantile of the body that is half as large again and a tenth of a millisecond longer.
//! Smaller ones come and go with whose requests find the server's CPU awake.

use hdrhistogram::Histogram;

/// √(−ln(α/2)/2) for α = 0.001: the statistic exceeds this · √((n+m)/nm) by chance that rarely
/// (Smirnov 1948).
const CRITICAL: f64 = 1.949;

/// The least statistic that counts.
const LEAST_DISTANCE: f64 = 0.3;

/// The least factor between quantiles that counts.
const LEAST_FACTOR: f64 = 1.5;

/// The least difference of quantiles that counts, in nanoseconds.
const LEAST_GAP_NS: u64 = 100_000;

/// The quantiles that are compared. Beyond them a single stall decides.
const BODY: [f64; 4] = [0.25, 0.5, 0.75, 0.9];

/// How two distributions differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distance {
    /// The largest difference of the two distribution functions.
    pub(super) statistic: f64,
    /// The largest factor between the same quantile of both, where that is a difference that
    /// counts.
    pub(super) factor: f64,
    significant: bool,
}

impl Distance {
    /// Between two histograms of the same layout; none if one is empty.
    pub(super) fn between(one: &Histogram<u64>, two: &Histogram<u64>) -> Option<Self> {
        if one.is_empty() || two.is_empty() {
            return None;
        }
        let (n, m) = (one.len() as f64, two.len() as f64);
        let statistic = statistic(one, two);
        let factor = BODY.into_iter().map(|share| factor(one, two, share)).fold(1.0, f64::max);
        let significant = statistic > CRITICAL * ((n + m) / (n * m)).sqrt();
        Some(Self { statistic, factor, significant })
    }

    /// Whether it is worth a word.
    pub(super) fn is_large(&self) -> bool {
        self.significant && self.statistic >= LEAST_DISTANCE && self.factor >= LEAST_FACTOR
    }
}

/// The distribution functions are steps that rise where there are values.
fn statistic(one: &Histogram<u64>, two: &Histogram<u64>) -> f64 {
    let steps = |of: &Histogram<u64>, sign: f64| -> Vec<(u64, f64)> {
        let share = sign / of.len() as f64;
        let step = |count: u64| count as f64 * share;
        of.iter_recorded().map(|at| (at.value_iterated_to(), step(at.count_at_value()))).collect()
    };
    let mut all = [steps(one, 1.0), steps(two, -1.0)].concat();
    all.sort_by_key(|&(value, _)| value);
    let (mut gap, mut largest) = (0.0_f64, 0.0_f64);
    for same in all.chunk_by(|left, right| left.0 == right.0) {
        gap += same.iter().map(|&(_, step)| step).sum::<f64>();
        largest = largest.max(gap.abs());
    }
    largest
}

fn factor(one: &Histogram<u64>, two: &Histogram<u64>, share: f64) -> f64 {
    let at = |of: &Histogram<u64>| of.value_at_quantile(share).max(1);
    let (less, more) = (at(one).min(at(two)), at(one).max(at(two)));
    if more - less >= LEAST_GAP_NS { more as f64 / less as f64 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Times;

    fn times(values: impl Iterator<Item = u64>) -> Histogram<u64> {
        let mut times = Times::default();
        values.for_each(|value| times.record(value));
        times.histogram().clone()
    }

    fn between(one: &Histogram<u64>, two: &Histogram<u64>) -> Distance {
        Distance::between(one, two).expect("neither is empty")
    }

    #[test]
    fn the_statistic_by_hand() {
        let (one, two) = (times([1, 2, 3, 4].into_iter()), times([3, 4, 5, 6].into_iter()));
        assert_eq!(between(&one, &two).statistic, 0.5);
        assert_eq!(between(&one, &one).statistic, 0.0);
        assert_eq!(between(&one, &times(10..20)).statistic, 1.0);
        assert_eq!(Distance::between(&one, &times(0..0)), None);
    }

    #[test]
    fn small_and_accidental_differences_do_not_count() {
        let usual = times((100_000..200_000).step_by(7));
        let shifted = times((103_000..203_000).step_by(7));
        assert!(between(&usual, &shifted).significant);
        assert!(!between(&usual, &shifted).is_large());
        let few = times([300_000, 400_000].into_iter());
        assert!(!between(&usual, &few).is_large());
        let quick = times((10_000..20_000).step_by(3));
        assert!(!between(&quick, &times((30_000..60_000).step_by(3))).is_large());
        let slow = times((200_000..400_000).step_by(7));
        assert!(between(&usual, &slow).is_large());
        assert!(between(&slow, &usual).is_large());
    }
}
