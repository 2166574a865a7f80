//! From values to places on an axis.

/// How an axis grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Equal steps are equal differences.
    Linear { low: f64, high: f64 },
    /// Equal steps are equal ratios.
    Log { low: f64, high: f64 },
    /// As `Log`, with a zero at the near end, set apart from the rest.
    LogAndZero { low: f64, high: f64 },
}

/// Where the logarithmic part begins when there is a zero.
const AFTER_ZERO: f64 = 0.14;

/// From this ratio on, a linear axis would press the small values flat.
const RATIO_FOR_LOG: f64 = 40.0;

impl Scale {
    /// A linear scale from zero to a round number above all values.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let high = values.fold(0.0, f64::max);
        let step = step(high);
        Self::Linear { low: 0.0, high: if high > 0.0 { (high / step).ceil() * step } else { 1.0 } }
    }

    /// A logarithmic scale around all values that are positive.
    pub(super) fn log_around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = positive_range(values);
        Self::Log { low: below(low), high: above(high) }
    }

    /// From zero, unless the values differ so much that only a logarithmic scale shows all of them.
    pub(super) fn fitting(values: &[f64]) -> Self {
        let (low, high) = positive_range(values.iter().copied());
        if high / low > RATIO_FOR_LOG {
            Self::log_around(values.iter().copied())
        } else {
            Self::from_zero(values.iter().copied())
        }
    }

    /// A logarithmic scale from the first of these values to the last; they may begin with a zero.
    pub(super) fn over(values: &[f64]) -> Self {
        let (low, high) = positive_range(values.iter().copied());
        let high = if high > low { high } else { low * 2.0 };
        if values.contains(&0.0) { Self::LogAndZero { low, high } } else { Self::Log { low, high } }
    }

    /// The place of a value: 0 at the near end, 1 at the far one.
    pub(super) fn place(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => logarithmic(value, low, high),
            Self::LogAndZero { .. } if value <= 0.0 => 0.0,
            Self::LogAndZero { low, high } => {
                AFTER_ZERO + (1.0 - AFTER_ZERO) * logarithmic(value, low, high)
            }
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values to be marked along the axis.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { low, high } => {
                let step = step(high - low);
                let count = ((high - low) / step).round() as usize;
                (0..=count).map(|n| low + step * n as f64).collect()
            }
            Self::Log { low, high } | Self::LogAndZero { low, high } => round_values(low, high),
        }
    }
}

fn logarithmic(value: f64, low: f64, high: f64) -> f64 {
    (value.max(f64::MIN_POSITIVE) / low).ln() / (high / low).ln()
}

fn positive_range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0 && value.is_finite());
    let (low, high) = positive.fold((f64::MAX, 0.0), |(low, high), v| (v.min(low), v.max(high)));
    if high > 0.0 { (low, high) } else { (1.0, 10.0) }
}

/// 1, 2 or 5 times a power of ten, so that about five steps make the whole.
fn step(whole: f64) -> f64 {
    let raw = (whole / 5.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(raw.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= raw * 0.999);
    digit.unwrap_or(10.0) * power
}

const DIGITS: [f64; 3] = [1.0, 2.0, 5.0];

fn below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let fits = DIGITS.iter().rev().map(|digit| digit * power).find(|round| *round <= value * 1.001);
    fits.unwrap_or(power)
}

fn above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let fits = DIGITS.iter().map(|digit| digit * power).find(|round| *round >= value * 0.999);
    fits.unwrap_or(10.0 * power)
}

/// Powers of ten, with twice and five times of them where there are few.
fn round_values(low: f64, high: f64) -> Vec<f64> {
    let digits: &[f64] = if high / low > 3_000.0 { &DIGITS[..1] } else { &DIGITS };
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let powers = (first..=last).map(|exponent| 10_f64.powi(exponent));
    let values = powers.flat_map(|power| digits.iter().map(move |digit| digit * power));
    values.filter(|value| *value >= low * 0.999 && *value <= high * 1.001).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_starts_at_zero_and_ends_at_a_round_number() {
        let scale = Scale::from_zero([118_204.0, 30_000.0].into_iter());
        assert_eq!(scale, Scale::Linear { low: 0.0, high: 150_000.0 });
        assert_eq!(scale.ticks(), [0.0, 50_000.0, 100_000.0, 150_000.0]);
    }

    #[test]
    fn equal_ratios_are_equal_steps_on_a_logarithmic_axis() {
        let scale = Scale::over(&[1.0, 10.0, 100.0, 1_000.0]);
        let places = [1.0, 10.0, 100.0].map(|value| scale.place(value));
        assert!((places[2] - 2.0 * places[1]).abs() < 1e-9 && places[0].abs() < 1e-9);
    }

    #[test]
    fn a_zero_has_its_own_place() {
        let scale = Scale::over(&[0.0, 10.0, 1_000.0]);
        let places = [0.0, 10.0, 1_000.0].map(|value| scale.place(value));
        assert!(places[0] == 0.0 && places[1] > 0.1 && places[2] == 1.0);
    }

    #[test]
    fn values_far_apart_get_a_logarithmic_axis_and_odd_ones_no_panic() {
        assert!(matches!(Scale::fitting(&[1.0, 1_000.0]), Scale::Log { .. }));
        assert!(matches!(Scale::fitting(&[100.0, 1_000.0]), Scale::Linear { .. }));
        for odd in [&[][..], &[0.0], &[f64::NAN], &[f64::INFINITY], &[5.0]] {
            let scale = Scale::fitting(odd);
            assert!(!scale.ticks().is_empty() && scale.ticks().len() < 30);
            assert!((0.0..=1.0).contains(&Scale::over(odd).place(3.0)));
        }
    }
}
