//! The normal distribution.

use std::f64::consts::TAU;

/// What lies beyond 97.5 % of a normal sample, in standard deviations: the ends of a 95 % interval.
pub(super) const Z_95: f64 = 1.959_963_984_540_054;

/// How probable a value at least that far from the mean is, on either side, in standard deviations.
///
/// By the Taylor series of the distribution function at 0, which holds to the last digits there
/// (Marsaglia, "Evaluating the Normal Distribution", Journal of Statistical Software 11(4), 2004).
/// Beyond 8 the probability is less than 10^-14 and given as 0.
pub(super) fn two_sided(deviations: f64) -> f64 {
    let x = deviations.abs();
    if x.is_nan() || x > 8.0 {
        return 0.0;
    }
    let (mut sum, mut term, mut odd) = (0.0, x, 1.0);
    while sum + term > sum {
        sum += term;
        odd += 2.0;
        term *= x * x / odd;
    }
    let within = 2.0 * sum * (-0.5 * x * x).exp() / TAU.sqrt();
    (1.0 - within).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, "Handbook of Mathematical Functions", tables 26.1 and 26.5.
    #[test]
    fn agrees_with_the_tables() {
        let known = [(0.0, 1.0), (1.0, 0.317_310_508), (2.0, 0.045_500_264), (Z_95, 0.05)];
        for (deviations, p) in
            known.into_iter().chain([(3.0, 0.002_699_796), (-1.0, 0.317_310_508)])
        {
            assert!((two_sided(deviations) - p).abs() < 1e-9, "{deviations}");
        }
        assert!((two_sided(5.0) / 5.733_031e-7 - 1.0).abs() < 1e-6);
        assert_eq!(two_sided(f64::INFINITY), 0.0);
    }
}
