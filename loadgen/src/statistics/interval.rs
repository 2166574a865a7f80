//! A quantile with its 95 % confidence interval, from the order of the values alone.
//!
//! How many of n values are beyond the true quantile q is binomial with n and 1 - q, whatever law
//! the values have. So between the right two ranks of the sample lies the true quantile in 95 % of
//! all samples (Hahn, Meeker, "Statistical Intervals", 1991, section 5.2). Far out in a small
//! sample there is no such rank: even the largest value is too likely to be below the quantile.
//!
//! **Unanswered requests** count as values larger than any other. **Dependent values**, which come
//! in clumps, tell less than their number promises: the ranks are those of a sample of the
//! effective size, stretched to the real one.

use std::fmt;

use hdrhistogram::Histogram;

use super::normal::Z_95;

/// What lies beyond each end of the interval.
const TAIL: f64 = 0.025;

/// A quantile of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The value; none if it lies among the unanswered.
    pub value: Option<u64>,
    /// The lower end of its interval; none if it lies there too.
    pub low: Option<u64>,
    /// The upper end of it; none if it lies there too.
    pub high: Option<u64>,
}

/// The sample is too small for an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsMore(
    /// How many more values would do, if they were like those that are there.
    pub u64,
);

impl fmt::Display for NeedsMore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "needs {} more", self.0)
    }
}

/// The quantile of the answered and the `unanswered` together, and its interval. `effective` is how
/// many independent values they are worth; it is never taken to be more than there are.
///
/// # Errors
/// If the sample has no interval of that quantile.
pub fn quantile_with_interval(
    answered: &Histogram<u64>,
    unanswered: u64,
    quantile: f64,
    effective: f64,
) -> Result<Quantile, NeedsMore> {
    let all = answered.len() + unanswered;
    let effective = (effective.max(1.0) as u64).min(all);
    let each = all.max(1) as f64 / effective.max(1) as f64;
    let least = least_sample(quantile);
    if effective < least {
        return Err(NeedsMore(((least - effective) as f64 * each).ceil() as u64));
    }
    let stretched = |rank: u64| rank as f64 * each;
    let (low, high) = ranks(effective, quantile);
    Ok(Quantile {
        value: at_rank(answered, all, (quantile * all as f64).ceil()),
        low: at_rank(answered, all, stretched(low).floor()),
        high: at_rank(answered, all, stretched(high).ceil()),
    })
}

/// The smallest sample that has an interval of that quantile: the largest of n values is below it
/// with probability q^n, the smallest above it with (1 - q)^n, and neither may be more than 2.5 %.
/// 6 for the median, 368 for p99, and ten times as many for each further nine.
#[must_use]
pub fn least_sample(quantile: f64) -> u64 {
    (TAIL.ln() / quantile.max(1.0 - quantile).ln()).ceil() as u64
}

/// The ranks, counted from 1, that the quantile is between: the largest one that is above it with a
/// probability of 2.5 % at most, and the smallest one that is below it with 2.5 % at most.
fn ranks(size: u64, quantile: f64) -> (u64, u64) {
    let beyond = 1.0 - quantile;
    let low = size - binomial_quantile(size, beyond, 1.0 - TAIL);
    let high = size - binomial_quantile(size, beyond, TAIL) + 1;
    (low.max(1), high.min(size))
}

/// The smallest k such that at most k successes in n trials have at least that probability.
fn binomial_quantile(trials: u64, success: f64, probability: f64) -> u64 {
    if success > 0.5 {
        return trials - binomial_quantile(trials, 1.0 - success, 1.0 - probability);
    }
    let n = trials as f64;
    // The probability of no success at all, where the sum begins, must not underflow. Where it
    // would, so many successes are expected that the normal law is less than one rank off.
    let none = n * (-success).ln_1p();
    if none < -700.0 {
        let deviation = (n * success * (1.0 - success)).sqrt();
        let z = if probability < 0.5 { -Z_95 } else { Z_95 };
        return (n * success + z * deviation - 0.5).ceil() as u64;
    }
    let (mut k, mut term) = (0, none.exp());
    let mut sum = term;
    while sum < probability && k < trials {
        term *= (trials - k) as f64 / (k + 1) as f64 * success / (1.0 - success);
        sum += term;
        k += 1;
    }
    k
}

/// The value of a rank, counted from 1; none if it lies among those beyond the histogram.
fn at_rank(answered: &Histogram<u64>, all: u64, rank: f64) -> Option<u64> {
    let rank = rank.clamp(1.0, all.max(1) as f64);
    // Half a rank less, so that no rounding can lead to the next one.
    let share = (rank - 0.5) / answered.len() as f64;
    (share < 1.0).then(|| answered.value_at_quantile(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    fn ladder(count: u64) -> Histogram<u64> {
        let mut histogram = Histogram::new(5).expect("a histogram");
        (1..=count).for_each(|value| histogram.record(value).expect("in range"));
        histogram
    }

    #[test]
    fn the_least_samples_are_the_known_ones() {
        let known = [(0.5, 6), (0.9, 36), (0.99, 368), (0.999, 3_688), (0.9999, 36_888)];
        for (quantile, least) in known {
            // The first n with 1 - q^n >= 97.5 %, counted up to in place of solved for.
            let counted = (1..).find(|&n| f64::powi(quantile, n) <= TAIL).expect("one") as u64;
            assert_eq!(least_sample(quantile), counted);
            assert!(counted.abs_diff(least) <= 1, "{quantile}: {counted}");
            let (few, enough) = (ladder(counted - 1), ladder(counted));
            assert_eq!(quantile_with_interval(&few, 0, quantile, 1e18), Err(NeedsMore(1)));
            let found = quantile_with_interval(&enough, 0, quantile, 1e18).expect("enough");
            assert_eq!(found.high, Some(counted), "the largest one");
        }
    }

    /// Hahn and Meeker, table A.15: the ranks of two-sided 95 % intervals of the median; Conover,
    /// "Practical Nonparametric Statistics", table A3, gives the same binomial sums.
    #[test]
    fn the_ranks_of_the_median_are_those_of_the_tables() {
        for (size, low, high) in [(6, 1, 6), (10, 2, 9), (20, 6, 15), (30, 10, 21), (100, 40, 61)] {
            assert_eq!(ranks(size, 0.5), (low, high), "{size}");
        }
    }

    #[test]
    fn the_normal_law_takes_over_without_a_step() {
        for quantile in [0.5, 0.9, 0.99, 0.999] {
            // Just below and just above the size where the sum would underflow.
            let edge = (700.0 / -f64::ln(quantile)) as u64;
            let (sum, normal) = (ranks(edge - 1, quantile), ranks(edge + 2, quantile));
            assert!(sum.0.abs_diff(normal.0) <= 4 && sum.1.abs_diff(normal.1) <= 4, "{quantile}");
        }
        let (low, high) = ranks(4_000_000_000, 0.99);
        assert_eq!((low + high) / 2, 3_960_000_000, "no overflow, and the middle is the quantile");
    }

    #[test]
    fn the_unanswered_are_slower_than_all_others() {
        let (histogram, unanswered) = (ladder(980), 20);
        let found = quantile_with_interval(&histogram, unanswered, 0.99, 1e9).expect("enough");
        assert_eq!(found, Quantile { value: None, low: None, high: None });
        let found = quantile_with_interval(&histogram, unanswered, 0.975, 1e9).expect("enough");
        assert_eq!((found.value, found.high), (Some(975), None));
        assert!(found.low.is_some_and(|low| (960..975).contains(&low)), "{found:?}");
    }

    #[test]
    fn a_smaller_effective_size_widens_the_interval_and_then_ends_it() {
        let histogram = ladder(100_000);
        let width = |effective| {
            let found = quantile_with_interval(&histogram, 0, 0.99, effective).expect("enough");
            assert_eq!(found.value, Some(99_000));
            found.high.expect("a value") - found.low.expect("a value")
        };
        let ratio = width(1000.0) as f64 / width(100_000.0) as f64;
        assert!((8.0..12.0).contains(&ratio), "about the root of 100: {ratio}");
        let refused = quantile_with_interval(&histogram, 0, 0.99, 184.0).expect_err("too few");
        assert_eq!(refused.0, 100_000, "as many again");
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(quantile_with_interval(&ladder(0), 0, 0.5, 0.0), Err(NeedsMore(6)));
        let found = quantile_with_interval(&ladder(0), 100, 0.5, 100.0).expect("enough");
        assert_eq!(found.value, None);
    }

    #[test]
    fn the_true_quantile_is_inside_as_often_as_it_says() {
        let mut chance = Chance::new(3);
        for (quantile, size) in [(0.5, 200), (0.9, 500), (0.99, 1000)] {
            let truth = 1e4 * -f64::ln(1.0 - quantile);
            let inside = (0..1000).filter(|_| {
                let mut histogram = Histogram::<u64>::new(3).expect("a histogram");
                (0..size).for_each(|_| histogram += chance.exponential(1e4) as u64);
                let found = quantile_with_interval(&histogram, 0, quantile, f64::from(size));
                let found = found.expect("enough");
                found.low.is_some_and(|low| low as f64 <= truth)
                    && found.high.is_some_and(|high| truth <= high as f64)
            });
            // At least 95 %, for ranks are whole numbers; four standard deviations are 2.8 %.
            let inside = inside.count();
            assert!((925..=990).contains(&inside), "{quantile}: {inside}");
        }
    }
}
