//! From rows to numbers that can be shown: the median over the repeats of a cell.
//!
//! The median rather than the mean, since one trial that a neighbour on the host disturbed should
//! not move it; beside it stand the smallest and the largest value, and no interval that three
//! repeats can't support.

pub mod cell;
pub mod doubt;
pub mod latency;
pub mod ranks;
pub mod study;

/// The median: the middle value, or the mean of the two in the middle.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_middle_of_an_odd_and_of_an_even_number() {
        assert_eq!(median(&[3.0, 100.0, 1.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }
}
