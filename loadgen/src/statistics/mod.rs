//! What can be concluded from numbers: pure functions and small accumulators.
//!
//! Each one names the paper or the book it is from, and is tested against published tables or
//! against samples whose law is known.

mod anderson;
#[cfg(test)]
pub(crate) mod chance;
mod dependence;
mod fairness;
mod interval;
mod kolmogorov;
mod normal;
mod scale;
mod settling;
mod slices;
mod trend;

pub use anderson::anderson_darling;
pub use dependence::{design_effect, effective_size};
pub use fairness::jain;
pub use interval::{NeedsMore, Quantile, least_sample, quantile_with_interval};
pub use kolmogorov::{Fit, kolmogorov_smirnov, two_samples};
pub use settling::{Settling, settling};
pub use slices::Slices;
pub use trend::{Trend, trend};

/// The median of some values; none of none. Sorts them.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
