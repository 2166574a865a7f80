//! Quantiles that do not forget the requests that had no answer.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The percentiles that are printed, in percent, where the sample supports them.
const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];

/// What lies beyond each end of a two-sided 95 % interval.
const TAIL: f64 = 0.025;

/// A percentile of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantile {
    /// In percent.
    pub percent: f64,
    /// In nanoseconds; none if it lies among the requests that had no answer.
    pub value_ns: Option<u64>,
}

/// The value that a share `quantile` of all requests does not exceed, where `unanswered` ones are
/// slower than all that are in the histogram; none if it is one of them, or there are none at all.
#[must_use]
pub fn quantile(times: &Histogram<u64>, unanswered: u64, quantile: f64) -> Option<u64> {
    let (answered, all) = (times.len() as f64, (times.len() + unanswered) as f64);
    let share = if unanswered == 0 { quantile } else { (quantile * all).ceil() / answered };
    (answered > 0.0 && share <= 1.0).then(|| times.value_at_quantile(share))
}

/// The percentiles for which the sample has an upper 95 % bound at all: the largest of n values
/// lies beyond the quantile in 97.5 % of all samples, that is 1 − qⁿ ≥ 0.975.
#[must_use]
pub fn quantiles(times: &Histogram<u64>, unanswered: u64) -> Vec<Quantile> {
    let all = (times.len() + unanswered) as f64;
    let supported = PERCENTILES.into_iter().filter(|percent| (percent / 100.0).powf(all) <= TAIL);
    let value = |percent| quantile(times, unanswered, percent / 100.0);
    supported.map(|percent| Quantile { percent, value_ns: value(percent) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Times;

    fn thousand() -> Times {
        let mut times = Times::default();
        (1..=1000).for_each(|nanos| times.record(nanos));
        times
    }

    #[test]
    fn requests_without_an_answer_are_the_slowest() {
        let times = thousand();
        let at = |unanswered, share| quantile(times.histogram(), unanswered, share);
        assert_eq!((at(0, 0.5), at(0, 1.0)), (Some(500), Some(1000)));
        assert_eq!((at(1000, 0.25), at(1000, 0.5)), (Some(500), Some(1000)));
        assert_eq!((at(1000, 0.51), at(1, 1.0)), (None, None));
        assert_eq!(quantile(Times::default().histogram(), 5, 0.5), None);
    }

    #[test]
    fn a_percentile_needs_a_sample_that_supports_it() {
        let percents = |unanswered| {
            let found = quantiles(thousand().histogram(), unanswered);
            found.into_iter().map(|one| one.percent).collect::<Vec<_>>()
        };
        assert_eq!(percents(0), [50.0, 90.0, 99.0]);
        assert_eq!(percents(4000), [50.0, 90.0, 99.0, 99.9]);
    }
}
