//! How many independent values the values of a run are worth.
//!
//! A stall of the server delays all requests that are out, so slow answers come in clumps: 100 of
//! them may be one event. The slices of the run are taken as clusters of a sample. How much more
//! the share of slow answers differs from slice to slice than chance explains is the design effect:
//! the number of values divided by it is the effective size (Kish, "Survey Sampling", 1965, section
//! 5.4; the variance is that of a ratio, Cochran, "Sampling Techniques", 1977, section 6.3).
//!
//! A clump may be longer than a slice. So the same is done with slices of twice the length, of four
//! times, and so on, and the largest effect counts; as do the batches of batch-means.

use std::iter::successors;

use super::Slices;

/// With fewer slices than this, the effect itself is too uncertain to be used.
const ENOUGH: usize = 32;

/// How many values each independent one is made of: 1 if none depends on another. It is about the
/// answers beyond a `quantile`, and 1 as well where there is too little to tell.
#[must_use]
pub fn design_effect(slices: &Slices, quantile: f64) -> f64 {
    let Some(bound) = slices.bound(quantile) else { return 1.0 };
    let clusters: Vec<_> = slices.counts().into_iter().zip(slices.counts_from(bound)).collect();
    let lengths = successors(Some(clusters), |clusters| Some(in_pairs(clusters)));
    let effects = lengths.map_while(|clusters| effect(&clusters));
    effects.fold(1.0, f64::max)
}

/// How many independent values `count` of them are worth.
#[must_use]
pub fn effective_size(slices: &Slices, quantile: f64, count: u64) -> f64 {
    count as f64 / design_effect(slices, quantile)
}

/// Clusters of twice the length.
fn in_pairs(clusters: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let add = |sum: (u64, u64), other: &(u64, u64)| (sum.0 + other.0, sum.1 + other.1);
    clusters.chunks(2).map(|pair| pair.iter().fold((0, 0), add)).collect()
}

/// The variance of the share of slow ones between clusters, each given as (all, slow ones), as a
/// multiple of the binomial one; none if there are too few clusters.
fn effect(clusters: &[(u64, u64)]) -> Option<f64> {
    let filled = || clusters.iter().filter(|(all, _)| *all > 0);
    let number = filled().count();
    if number < ENOUGH {
        return None;
    }
    let sum = |part: fn(&(u64, u64)) -> u64| filled().map(part).sum::<u64>() as f64;
    let (all, slow) = (sum(|cluster| cluster.0), sum(|cluster| cluster.1));
    let share = slow / all;
    let square = |&(all, slow): &(u64, u64)| (slow as f64 - share * all as f64).powi(2);
    let between = filled().map(square).sum::<f64>() * number as f64 / (number - 1) as f64;
    let binomial = all * share * (1.0 - share);
    (binomial > 0.0).then(|| between / binomial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::chance::Chance;

    const SECOND: u64 = 1_000_000_000;

    /// Ten seconds of a thousand answers a second; in each stall of 100 ms, of which there are some
    /// a second, all are slow.
    fn run(chance: &mut Chance, stalls: f64) -> Slices {
        let mut slices = Slices::new(Some(10 * SECOND));
        let mut stalled_until = 0;
        for at in (0..10 * SECOND).step_by(1_000_000) {
            if chance.uniform() < stalls / 1000.0 {
                stalled_until = at + SECOND / 10;
            }
            let mean = if at < stalled_until { 1e8 } else { 1e6 };
            slices.record(at, chance.exponential(mean) as u64);
        }
        slices
    }

    #[test]
    fn independent_answers_count_nearly_in_full() {
        let mut chance = Chance::new(4);
        for quantile in [0.5, 0.9, 0.99] {
            let effects: Vec<_> =
                (0..50).map(|_| design_effect(&run(&mut chance, 0.0), quantile)).collect();
            let mean = effects.iter().sum::<f64>() / 50.0;
            assert!((1.0..1.35).contains(&mean), "{quantile}: {mean}");
            assert!(effects.iter().all(|&effect| effect < 2.5), "{quantile}: {effects:?}");
        }
    }

    #[test]
    fn answers_that_are_slow_together_count_as_few() {
        let mut chance = Chance::new(5);
        for _ in 0..20 {
            let slices = run(&mut chance, 0.5);
            let effect = design_effect(&slices, 0.95);
            // A stall has 100 answers, most of which are beyond every quantile of the quiet times.
            assert!((10.0..250.0).contains(&effect), "{effect}");
        }
    }

    #[test]
    fn the_effect_is_that_of_the_formula() {
        // Half of 64 clusters of 10 are slow as a whole: the share is 1/2, each is 5 off.
        let clusters: Vec<_> = (0..64).map(|index| (10, 10 * (index % 2))).collect();
        let exact = 64.0 * 25.0 * 64.0 / 63.0 / (640.0 / 4.0);
        assert!((effect(&clusters).expect("enough") - exact).abs() < 1e-9);
        assert_eq!(effect(&in_pairs(&clusters)), Some(0.0), "two neighbours even out");
        assert_eq!(effect(&clusters[..31]), None);
        assert_eq!(effect(&[(0, 0); 64]), None, "empty ones are none");
    }

    #[test]
    fn too_little_to_tell_is_taken_as_it_is() {
        let mut slices = Slices::new(Some(SECOND));
        assert_eq!(design_effect(&slices, 0.99), 1.0);
        (0..1000).for_each(|index| slices.record(index * 1_000_000, 5000));
        assert_eq!(design_effect(&slices, 0.99), 1.0, "all alike");
        assert_eq!(effective_size(&slices, 0.5, 1000), 1000.0);
    }
}
