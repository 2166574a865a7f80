//! From the passes of a condition to the numbers that are shown.

use crate::stats::median;

/// The median over the passes, with the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Typical {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Typical {
    /// Of these; none of nothing.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<_> = values.collect();
        let fold = |with: fn(f64, f64) -> f64| values.iter().copied().reduce(with);
        let (least, most) = (fold(f64::min)?, fold(f64::max)?);
        Some(Self { median: median(&values)?, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_both_ends() {
        let typical = Typical::of([3.0, 1.0, 2.0].into_iter()).unwrap();
        assert_eq!((typical.least, typical.median, typical.most), (1.0, 2.0, 3.0));
        assert_eq!(Typical::of(std::iter::empty()), None);
    }
}
