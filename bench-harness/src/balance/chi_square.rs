//! Whether counts are what a sample of exact shares looks like: Pearson's test.

/// The statistic, and what may be said by it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChiSquare {
    /// The sum of (count − expected)² / expected.
    pub statistic: f64,
    /// Degrees of freedom.
    pub freedom: u32,
}

impl ChiSquare {
    /// Of the counts of one sample and what was expected of them.
    #[must_use]
    pub fn of(counts: &[u64], expected: &[f64]) -> Self {
        let term = |(&count, expected): (&u64, &f64)| (count as f64 - expected).powi(2) / expected;
        let terms = counts.iter().zip(expected).filter(|(_, expected)| **expected > 0.0);
        let freedom = terms.clone().count().saturating_sub(1) as u32;
        Self { statistic: terms.map(term).sum(), freedom }
    }

    /// Of this sample and an independent one together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { statistic: self.statistic + other.statistic, freedom: self.freedom + other.freedom }
    }

    /// How often chance alone gives a statistic as large as this, or larger.
    #[must_use]
    pub fn chance(self) -> f64 {
        upper_gamma(f64::from(self.freedom) / 2.0, self.statistic / 2.0)
    }
}

/// Q(a, x), the upper part of the incomplete gamma function over the whole, for `a` a multiple of ½
/// (Abramowitz and Stegun, 6.5.29 and 6.5.31): 1 minus a power series left of the hump, a continued
/// fraction right of it.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if a <= 0.0 || x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 { 1.0 - front * series(a, x) } else { front * fraction(a, x) }
}

fn series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
    while term > sum * f64::EPSILON {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum
}

/// From the far end on: 200 levels are exact to the last digit for x > a + 1 and any `a` met here.
fn fraction(a: f64, x: f64) -> f64 {
    let level = |rest: f64, n: i32| {
        let n = f64::from(n);
        x + 2.0 * n + 1.0 - a - (n + 1.0) * (n + 1.0 - a) / rest
    };
    1.0 / (0..200).rev().fold(x + 401.0, level)
}

/// ln Γ(a) for a multiple of ½, down to Γ(1) = 1 or Γ(½) = √π.
fn ln_gamma(mut a: f64) -> f64 {
    let mut sum = 0.0;
    while a > 1.0 {
        a -= 1.0;
        sum += a.ln();
    }
    if a < 0.75 { sum + std::f64::consts::PI.sqrt().ln() } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // The usual table: (degrees of freedom, chance, statistic).
        let table = [
            (1, 0.05, 3.841),
            (1, 0.001, 10.828),
            (2, 0.05, 5.991),
            (5, 0.95, 1.145),
            (5, 0.05, 11.070),
            (15, 0.5, 14.339),
            (15, 0.01, 30.578),
            (100, 0.05, 124.342),
        ];
        for (freedom, chance, statistic) in table {
            let found = ChiSquare { statistic, freedom }.chance();
            assert!((found - chance).abs() < 0.0005, "{found} for {freedom}, {statistic}");
        }
    }

    #[test]
    fn counts_as_expected_are_no_surprise_and_others_are() {
        let fair = ChiSquare::of(&[50, 50], &[50.0, 50.0]);
        assert_eq!((fair.statistic, fair.freedom, fair.chance()), (0.0, 1, 1.0));
        let unfair = ChiSquare::of(&[70, 30], &[50.0, 50.0]);
        assert_eq!(unfair.statistic, 16.0);
        assert!(unfair.chance() < 0.0001);
        assert_eq!(fair.and(unfair), ChiSquare { statistic: 16.0, freedom: 2 });
        assert_eq!(ChiSquare::default().chance(), 1.0);
    }
}
