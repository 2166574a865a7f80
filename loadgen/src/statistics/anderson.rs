//! Whether a sample is from a given law, with an eye on its ends: Anderson and Darling.

use super::Fit;

/// Probabilities of 0 and 1, where logarithms end, are moved by this much.
const LEAST: f64 = 1e-15;

/// Compares a sample with the law whose distribution function is `cdf`, nothing of which was
/// estimated from the sample; an empty one fits. Where Kolmogorov's and Smirnov's test looks at the
/// middle, this one gives the ends their weight.
///
/// Anderson, Darling, "A Test of Goodness of Fit", J. Am. Statist. Assoc. 49, 1954. The probability
/// is that of the limit, which five values are enough for.
#[must_use]
pub fn anderson_darling(sample: &[f64], cdf: impl Fn(f64) -> f64) -> Fit {
    let mut below: Vec<_> =
        sample.iter().map(|&value| cdf(value).clamp(LEAST, 1.0 - LEAST)).collect();
    if below.is_empty() {
        return Fit { distance: 0.0, p: 1.0 };
    }
    below.sort_unstable_by(f64::total_cmp);
    let size = below.len() as f64;
    let pairs = below.iter().zip(below.iter().rev()).enumerate();
    let sum =
        pairs.map(|(index, (low, high))| (2.0 * index as f64 + 1.0) * (low.ln() + (-high).ln_1p()));
    let distance = -size - sum.sum::<f64>() / size;
    Fit { distance, p: 1.0 - within(distance) }
}

/// The distribution function of the limit: Marsaglia, Marsaglia, "Evaluating the Anderson-Darling
/// Distribution", Journal of Statistical Software 9(2), 2004, whose two formulas are right to five
/// digits.
fn within(z: f64) -> f64 {
    let polynomial = |factors: &[f64]| factors.iter().rev().fold(0.0, |sum, f| sum * z + f);
    match z {
        ..=0.0 => 0.0,
        ..2.0 => {
            const NEAR: [f64; 6] =
                [2.000_12, 0.247_105, -0.064_982_1, 0.034_796_2, -0.011_672, 0.001_686_91];
            (-1.233_714_1 / z).exp() / z.sqrt() * polynomial(&NEAR)
        }
        // Where the second formula ends, next to nothing is beyond.
        ..32.0 => {
            const FAR: [f64; 6] =
                [1.0776, -2.306_95, 0.434_24, -0.082_433, 0.008_056, -0.000_314_6];
            (-polynomial(&FAR).exp()).exp()
        }
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    /// Stephens, "EDF Statistics for Goodness of Fit and Some Comparisons", J. Am. Statist. Assoc.
    /// 69, 1974, table 1A, case 0.
    #[test]
    fn agrees_with_the_table_of_critical_values() {
        let table = [(1.610, 0.15), (1.933, 0.10), (2.492, 0.05), (3.070, 0.025), (3.857, 0.01)];
        for (distance, p) in table {
            assert!(((1.0 - within(distance)) / p - 1.0).abs() < 0.03, "{distance}");
        }
        assert_eq!((within(-1.0), within(1e9)), (0.0, 1.0));
    }

    #[test]
    fn one_value_in_the_middle_has_the_distance_of_the_formula() {
        let fit = anderson_darling(&[0.5], |x| x);
        assert!((fit.distance - (2.0 * 2.0_f64.ln() - 1.0)).abs() < 1e-12);
        assert_eq!(anderson_darling(&[], |x| x).p, 1.0);
        assert!(anderson_darling(&[0.0, 1.0, 1.0, 1.0], |x| x).p < 0.01, "impossible values");
    }

    #[test]
    fn rejects_the_right_law_as_often_as_it_says_and_a_wrong_one_nearly_always() {
        let exponential = |x: f64| 1.0 - (-x).exp();
        let mut chance = Chance::new(2);
        let mut rejections = |mean| {
            let draws = (0..1000).map(|_| (0..300).map(|_| chance.exponential(mean)).collect());
            draws.filter(|draw: &Vec<_>| anderson_darling(draw, exponential).p < 0.05).count()
        };
        let (right, wrong) = (rejections(1.0), rejections(1.3));
        assert!((23..=77).contains(&right), "{right}");
        assert!(wrong > 950, "{wrong}");
    }
}
