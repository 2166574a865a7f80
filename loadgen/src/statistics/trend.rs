//! Whether a series goes up or down as time goes by.
//!
//! Each value is compared with each later one. If there is no trend, as many pairs rise as fall,
//! and the difference of the two has a known variance, whatever law the values have (Mann,
//! "Nonparametric Tests Against Trend", Econometrica 13, 1945; Kendall, "Rank Correlation Methods",
//! 1975, with his correction for ties).

use super::{median, normal};

/// What a series does over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How probable a trend at least as strong, up or down, is by chance.
    pub p: f64,
    /// The median of the last third, as a multiple of that of the first third.
    pub ratio: f64,
}

/// The trend of a series; none if it has fewer than 10 values, for then the normal law of the test
/// does not hold, or if its first third is 0.
#[must_use]
pub fn trend(series: &[f64]) -> Option<Trend> {
    let (size, third) = (series.len(), series.len() / 3);
    if size < 10 {
        return None;
    }
    let first = median(series[..third].to_vec())?;
    let last = median(series[size - third..].to_vec())?;
    (first > 0.0).then(|| Trend { p: mann_kendall(series), ratio: last / first })
}

fn mann_kendall(series: &[f64]) -> f64 {
    let pairs = series.iter().enumerate();
    let later = |(index, value): (usize, &f64)| {
        series[index + 1..].iter().map(|next| next.total_cmp(value) as i64).sum::<i64>()
    };
    let rising: i64 = pairs.map(later).sum();
    // One less, for the normal law is continuous and a count isn't.
    let score = (rising.abs() - 1).max(0) as f64;
    let variance = (spread(series.len()) - ties(series).map(spread).sum::<f64>()) / 18.0;
    if variance > 0.0 { normal::two_sided(score / variance.sqrt()) } else { 1.0 }
}

fn spread(size: usize) -> f64 {
    let n = size as f64;
    n * (n - 1.0) * (2.0 * n + 5.0)
}

/// The sizes of the groups of equal values.
fn ties(series: &[f64]) -> impl Iterator<Item = usize> {
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let groups: Vec<_> = sorted.chunk_by(|one, other| one == other).map(<[f64]>::len).collect();
    groups.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    /// Worked out by hand: of the 45 pairs of ten values, 41 rise and 4 fall, so S = 37, and
    /// without ties its variance is 125, so z = 36/√125 = 3.22.
    #[test]
    fn the_score_is_that_of_the_formula() {
        let series = [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0, 9.0, 10.0];
        assert!((mann_kendall(&series) - 0.001_282).abs() < 1e-5, "{}", mann_kendall(&series));
        let ratio = trend(&series).expect("long enough").ratio;
        assert_eq!(ratio, 4.5, "the medians of 7, 9, 10 and of 2, 1, 4");
    }

    #[test]
    fn a_constant_or_a_short_series_has_no_trend() {
        assert_eq!(trend(&[5.0; 12]), Some(Trend { p: 1.0, ratio: 1.0 }));
        assert_eq!(trend(&[1.0; 9]), None);
        assert_eq!(trend(&[0.0; 10]), None);
    }

    #[test]
    fn finds_one_by_chance_as_often_as_it_says_and_a_real_one_nearly_always() {
        let mut chance = Chance::new(6);
        let mut found = |slope: f64, round: fn(f64) -> f64| {
            let mut series = || {
                let value = |index| round(10.0 + slope * f64::from(index) + chance.normal());
                (0..32).map(value).collect::<Vec<_>>()
            };
            (0..2000).filter(|_| trend(&series()).expect("long enough").p < 0.05).count()
        };
        // 5 % of 2000, give or take four standard deviations of 9.7; with many ties as well.
        let (none, tied, real) = (found(0.0, |v| v), found(0.0, f64::round), found(0.1, |v| v));
        assert!((61..=139).contains(&none) && (61..=139).contains(&tied), "{none}, {tied}");
        assert!(real > 1900, "{real}");
    }
}
