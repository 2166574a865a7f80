//! Whether a sample is from a given law, or two samples are from the same: Kolmogorov and Smirnov.
//!
//! The distance D is the largest vertical one between two distribution functions. If the law is the
//! right one, √n·D has a distribution that doesn't depend on the law; for small samples
//! (√n + 0.12 + 0.11/√n)·D is closer to it (Stephens, "Use of the Kolmogorov-Smirnov, Cramér-von
//! Mises and Related Statistics Without Extensive Tables", J. R. Statist. Soc. B 32, 1970).

use std::f64::consts::{PI, TAU};

/// How well a sample fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The test's measure of how far off it is: D of Kolmogorov and Smirnov, or A² of Anderson and
    /// Darling.
    pub distance: f64,
    /// How probable such a distance, or a larger one, is if it does fit.
    pub p: f64,
}

/// Compares a sample with the law whose distribution function is `cdf`; an empty one fits.
#[must_use]
pub fn kolmogorov_smirnov(sample: &[f64], cdf: impl Fn(f64) -> f64) -> Fit {
    let size = sample.len() as f64;
    let off = sorted(sample).into_iter().enumerate().map(|(below, value)| {
        let expected = cdf(value);
        // The sample's distribution function jumps at the value, from below/n to (below + 1)/n.
        (expected - below as f64 / size).max((below + 1) as f64 / size - expected)
    });
    fit(off.fold(0.0, f64::max), size)
}

/// Compares two samples with each other; with an empty one, any other fits.
#[must_use]
pub fn two_samples(one: &[f64], other: &[f64]) -> Fit {
    let sizes = (one.len() as f64, other.len() as f64);
    let (one, other) = (sorted(one), sorted(other));
    let (mut left, mut right, mut distance) = (0, 0, 0.0_f64);
    while left < one.len() && right < other.len() {
        let value = one[left].min(other[right]);
        // Equal values are one step of both functions.
        left += one[left..].iter().take_while(|&&next| next <= value).count();
        right += other[right..].iter().take_while(|&&next| next <= value).count();
        distance = distance.max((left as f64 / sizes.0 - right as f64 / sizes.1).abs());
    }
    fit(distance, sizes.0 * sizes.1 / (sizes.0 + sizes.1))
}

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn fit(distance: f64, size: f64) -> Fit {
    if size > 0.0 {
        let root = size.sqrt();
        Fit { distance, p: beyond((root + 0.12 + 0.11 / root) * distance) }
    } else {
        Fit { distance: 0.0, p: 1.0 }
    }
}

/// The probability of more than `x` in Kolmogorov's distribution. There are two series for it
/// (Feller, "On the Kolmogorov-Smirnov Limit Theorems", Ann. Math. Statist. 19, 1948); on its side
/// of 1, a handful of terms of each is exact to the last digits.
fn beyond(x: f64) -> f64 {
    if x < 0.1 {
        return 1.0;
    }
    if x < 1.0 {
        let term = |j: f64| (-((2.0 * j - 1.0) * PI / x).powi(2) / 8.0).exp();
        return 1.0 - TAU.sqrt() / x * (1..=5).map(|j| term(f64::from(j))).sum::<f64>();
    }
    let term =
        |j: i32| (-2.0 * (f64::from(j) * x).powi(2)).exp() * f64::from(1 - 2 * ((j + 1) % 2));
    (2.0 * (1..=5).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    fn uniform(x: f64) -> f64 {
        x.clamp(0.0, 1.0)
    }

    /// Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", Ann. Math.
    /// Statist. 19, 1948, for samples without end.
    #[test]
    fn agrees_with_the_table_of_the_limit() {
        for (x, p) in [(0.5, 0.963_945), (0.83, 0.496_191), (1.0, 0.269_999), (1.22, 0.101_897)] {
            assert!((beyond(x) - p).abs() < 2e-6, "{x}: {}", beyond(x));
        }
        for (x, p) in [(1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)] {
            assert!((beyond(x) / p - 1.0).abs() < 1e-3, "{x}: {}", beyond(x));
        }
    }

    #[test]
    fn both_series_agree_where_they_meet() {
        assert!((beyond(1.0 - 1e-12) - beyond(1.0)).abs() < 1e-10);
        assert_eq!((beyond(0.0), beyond(100.0)), (1.0, 0.0));
    }

    /// Miller, "Table of Percentage Points of Kolmogorov Statistics", J. Am. Statist. Assoc. 51,
    /// 1956: the exact two-sided 5 % and 1 % points of D.
    #[test]
    fn agrees_with_the_exact_table_of_small_samples() {
        let table = [(10.0, 0.409_25, 0.488_93), (20.0, 0.294_08, 0.352_41)];
        for (size, at_5, at_1) in table.into_iter().chain([(40.0, 0.210_12, 0.252_05)]) {
            assert!((fit(at_5, size).p - 0.05).abs() < 0.002, "{size}");
            assert!((fit(at_1, size).p - 0.01).abs() < 0.001, "{size}");
        }
    }

    #[test]
    fn finds_the_distance_on_either_side_of_a_step() {
        assert_eq!(kolmogorov_smirnov(&[0.3, 0.9], uniform).distance, 0.4);
        assert_eq!(kolmogorov_smirnov(&[0.75], uniform).distance, 0.75);
        assert_eq!(two_samples(&[1.0, 2.0, 2.0], &[2.0, 3.0]).distance, 0.5);
        assert_eq!(two_samples(&[1.0, 1.0], &[1.0]).distance, 0.0);
    }

    #[test]
    fn nothing_fits_everything() {
        assert_eq!(kolmogorov_smirnov(&[], uniform).p, 1.0);
        assert_eq!(two_samples(&[], &[1.0]).p, 1.0);
    }

    #[test]
    fn rejects_the_right_law_as_often_as_it_says_and_a_wrong_one_nearly_always() {
        let exponential = |x: f64| 1.0 - (-x).exp();
        let mut chance = Chance::new(1);
        let mut draw = |mean| (0..300).map(|_| chance.exponential(mean)).collect::<Vec<_>>();
        let mut rejected = [0, 0, 0, 0];
        for _ in 0..1000 {
            let (right, wrong, again) = (draw(1.0), draw(1.25), draw(1.0));
            rejected[0] += u32::from(kolmogorov_smirnov(&right, exponential).p < 0.05);
            rejected[1] += u32::from(kolmogorov_smirnov(&wrong, exponential).p < 0.05);
            rejected[2] += u32::from(two_samples(&right, &again).p < 0.05);
            rejected[3] += u32::from(two_samples(&right, &wrong).p < 0.05);
        }
        // 5 % of 1000, give or take four standard deviations of 6.9.
        assert!(
            (23..=77).contains(&rejected[0]) && (23..=77).contains(&rejected[2]),
            "{rejected:?}"
        );
        assert!(rejected[1] > 800 && rejected[3] > 500, "{rejected:?}");
    }
}
