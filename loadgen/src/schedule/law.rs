//! The laws of random gaps: to draw from, and to test what was sent against.
//!
//! The logarithm comes from the `libm` crate and not from the standard library. The latter calls
//! the C library of the host, whose last bit depends on its version and on whether the CPU fuses
//! multiplications and additions; the crate consists of basic IEEE 754 operations only. So agents
//! on unlike machines compute the same schedule, down to the nanosecond.

/// How the gaps between the requests of a whole schedule are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GapLaw {
    /// Exponential: those of a Poisson process.
    Exponential {
        /// The mean in nanoseconds.
        mean_ns: f64,
    },
    /// Pareto: mostly short, now and then very long.
    Pareto {
        /// The shortest gap in nanoseconds.
        least_ns: f64,
        /// The exponent of the tail: P(gap > t) = (least / t)^alpha.
        alpha: f64,
    },
}

impl GapLaw {
    pub(crate) fn exponential(mean_ns: f64) -> Self {
        Self::Exponential { mean_ns }
    }

    /// The Pareto law of that mean, which is alpha / (alpha − 1) times its shortest gap.
    pub(crate) fn pareto(alpha: f64, mean_ns: f64) -> Self {
        Self::Pareto { least_ns: mean_ns * (alpha - 1.0) / alpha, alpha }
    }

    /// The probability of a gap of at most `gap_ns` nanoseconds. Send times are whole nanoseconds,
    /// so the gaps of a schedule follow the law to within one of them.
    #[must_use]
    pub fn cdf(&self, gap_ns: f64) -> f64 {
        match *self {
            Self::Exponential { mean_ns } => -libm::expm1(-gap_ns.max(0.0) / mean_ns),
            Self::Pareto { least_ns, .. } if gap_ns <= least_ns => 0.0,
            Self::Pareto { least_ns, alpha } => -libm::expm1(alpha * libm::log(least_ns / gap_ns)),
        }
    }

    /// The gap in nanoseconds that is exceeded with probability `tail`, above 0 and at most 1. If
    /// that is uniformly distributed, gaps follow the law (inversion).
    #[inline]
    pub(crate) fn exceeded_with(&self, tail: f64) -> f64 {
        match *self {
            Self::Exponential { mean_ns } => -libm::log(tail) * mean_ns,
            Self::Pareto { least_ns, alpha } => least_ns * libm::exp(-libm::log(tail) / alpha),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_function_and_the_quantiles_are_inverse() {
        for law in [GapLaw::exponential(2e6), GapLaw::pareto(1.5, 2e6), GapLaw::pareto(9.0, 1.0)] {
            for tail in [1e-9, 0.01, 0.3, 0.5, 0.999] {
                let found = 1.0 - law.cdf(law.exceeded_with(tail));
                assert!((found - tail).abs() < 1e-12, "{law:?} at {tail}: {found}");
            }
        }
    }

    #[test]
    fn known_points() {
        let half = GapLaw::exponential(1.0).cdf(std::f64::consts::LN_2);
        assert!((half - 0.5).abs() < 1e-15, "{half}");
        let GapLaw::Pareto { least_ns, alpha } = GapLaw::pareto(2.0, 100.0) else {
            panic!("another law")
        };
        assert_eq!((least_ns, alpha), (50.0, 2.0));
        let three_quarters = GapLaw::pareto(2.0, 100.0).cdf(100.0);
        assert!((three_quarters - 0.75).abs() < 1e-15, "{three_quarters}");
    }

    #[test]
    fn nothing_is_shorter_than_the_shortest() {
        assert_eq!(GapLaw::exponential(5.0).cdf(-1.0), 0.0);
        assert_eq!(GapLaw::pareto(2.0, 100.0).cdf(49.0), 0.0);
    }
}
