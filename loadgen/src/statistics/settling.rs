//! Whether a series begins with a part that is not like the rest: a warm-up that was too short.
//!
//! How much to cut off is what MSER says: that many values that the rest has the smallest marginal
//! standard error, which falls as long as odd values leave and rises when good ones do (White, "An
//! Effective Truncation Heuristic for Bias Reduction in Simulation Output", Simulation 69, 1997).
//! It always finds a cut. So what is cut off is compared with the rest, too.

use super::{Fit, median, two_samples};

/// Where a series settles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settling {
    /// How many values come before that. The minimum is flat, so these are rather too many.
    pub cut: usize,
    /// The median of the first half of them, as a multiple of the median of the rest.
    pub ratio: f64,
    /// How the two parts differ, by the test of Kolmogorov and Smirnov.
    pub fit: Fit,
}

/// Where a series settles; none if that is at its very beginning.
#[must_use]
pub fn settling(series: &[f64]) -> Option<Settling> {
    let cut = cut(series);
    let (head, rest) = series.split_at(cut);
    let first = &head[..head.len().div_ceil(2)];
    let ratio = median(first.to_vec())? / median(rest.to_vec())?;
    Some(Settling { cut, ratio, fit: two_samples(head, rest) })
}

/// The cut of MSER, in the first half: a minimum further on says that the series never settles.
fn cut(series: &[f64]) -> usize {
    let error = |cut: &usize| {
        let rest = &series[*cut..];
        let size = rest.len() as f64;
        let mean = rest.iter().sum::<f64>() / size;
        rest.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (size * size)
    };
    let cuts = 0..series.len().div_ceil(2);
    cuts.min_by(|one, other| error(one).total_cmp(&error(other))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    fn series(chance: &mut Chance, head: usize, factor: f64) -> Vec<f64> {
        let level = |index| if index < head { 10.0 * factor } else { 10.0 };
        (0..32).map(|index| level(index) + chance.normal()).collect()
    }

    #[test]
    fn finds_the_end_of_a_slow_beginning() {
        let mut chance = Chance::new(7);
        for (head, factor) in [(5, 2.0), (8, 0.5), (8, 1.5), (12, 2.0)] {
            let found = (0..100).filter_map(|_| settling(&series(&mut chance, head, factor)));
            let right = found.filter(|found| {
                let near = (found.ratio / factor - 1.0).abs() < 0.25;
                (head - 1..2 * head + 2).contains(&found.cut) && near && found.fit.p < 0.01
            });
            let right = right.count();
            assert!(right >= 85, "{head}, {factor}: {right}");
        }
    }

    #[test]
    fn a_series_that_begins_as_it_goes_on_hardly_ever_has_a_beginning_that_differs() {
        let mut chance = Chance::new(8);
        let settlings = (0..1000).filter_map(|_| settling(&series(&mut chance, 0, 1.0)));
        let differ = settlings.filter(|found| found.fit.p < 0.01).count();
        assert!(differ < 30, "{differ}");
    }

    #[test]
    fn nothing_settles_at_once() {
        assert_eq!(settling(&[]), None);
        assert_eq!(settling(&[1.0]), None);
        assert_eq!(settling(&[3.0; 20]), None);
    }
}
