//! Whether groups of trials differ by more than trials of one group do.
//!
//! Of ten models that are all alike one comes out best and one worst, and their trials may well lie
//! apart: who picks the two ends afterwards finds a difference where there is none. So all groups
//! are looked at together first, by the test of Kruskal and Wallis (Journal of the American
//! Statistical Association 47, 1952): it ranks all trials, and asks whether the ranks gather by
//! group. It needs no shape of the distribution, and one wild trial has one rank like any other.

/// The normal deviate that chance exceeds in 5 % of cases.
const ONE_IN_TWENTY: f64 = 1.645;

/// Whether chance alone would spread these groups as far apart in less than 5 % of cases. `None`
/// when there are too few values for that to be said of any groups of that size.
#[must_use]
pub fn told_apart(groups: &[Vec<f64>]) -> Option<bool> {
    let groups: Vec<_> = groups.iter().filter(|group| !group.is_empty()).collect();
    let count: usize = groups.iter().map(|group| group.len()).sum();
    let limit = chi_square(groups.len().checked_sub(1).filter(|freedom| *freedom > 0)?);
    let most = statistic(&in_order(&groups), count);
    (most > limit).then(|| statistic(&mean_ranks(&groups), count) > limit)
}

/// Size and mean rank of each group.
type Ranked = Vec<(f64, f64)>;

/// The test's H: the spread of the mean ranks, in units of what chance makes of it.
fn statistic(groups: &Ranked, count: usize) -> f64 {
    let count = count as f64;
    let middle = f64::midpoint(count, 1.0);
    let spread: f64 = groups.iter().map(|(size, rank)| size * (rank - middle).powi(2)).sum();
    12.0 / (count * (count + 1.0)) * spread
}

fn mean_ranks(groups: &[&Vec<f64>]) -> Ranked {
    let all: Vec<f64> = groups.iter().flat_map(|group| group.iter().copied()).collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| *other < value).count() as f64;
        let same = all.iter().filter(|other| *other == value).count() as f64;
        below + f64::midpoint(same, 1.0)
    };
    let mean = |group: &&Vec<f64>| group.iter().map(rank).sum::<f64>() / group.len() as f64;
    groups.iter().map(|group| (group.len() as f64, mean(group))).collect()
}

/// The ranks of groups that follow one another without any overlap: further apart they can't be.
fn in_order(groups: &[&Vec<f64>]) -> Ranked {
    let mut before = 0.0;
    let ranks = groups.iter().map(|group| {
        let size = group.len() as f64;
        before += size;
        (size, before - size + f64::midpoint(size, 1.0))
    });
    ranks.collect()
}

/// The value that a chi-square with so many degrees of freedom exceeds in 5 % of cases, by the
/// approximation of Wilson and Hilferty (Proceedings of the National Academy of Sciences 17, 1931).
fn chi_square(freedom: usize) -> f64 {
    let part = 2.0 / (9.0 * freedom as f64);
    freedom as f64 * ONE_IN_TWENTY.mul_add(part.sqrt(), 1.0 - part).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_tables() {
        for (freedom, table) in [(1, 3.841), (2, 5.991), (8, 15.507), (12, 21.026)] {
            assert!((chi_square(freedom) / table - 1.0).abs() < 0.03, "{freedom}");
        }
    }

    #[test]
    fn a_published_example_comes_out_as_published() {
        // Bottles made by three machines, from the paper: H is 5.656.
        let machines = [
            vec![340.0, 345.0, 330.0, 342.0, 338.0],
            vec![339.0, 333.0, 344.0],
            vec![347.0, 343.0, 349.0, 355.0],
        ];
        let groups: Vec<_> = machines.iter().collect();
        assert!((statistic(&mean_ranks(&groups), 12) - 5.656).abs() < 0.001);
    }

    #[test]
    fn groups_apart_are_told_apart_and_mixed_ones_are_not() {
        let apart = [vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0], vec![7.0, 8.0, 9.0]];
        assert_eq!(told_apart(&apart), Some(true));
        let mixed = [vec![1.0, 5.0, 9.0], vec![4.0, 2.0, 7.0], vec![3.0, 8.0, 6.0]];
        assert_eq!(told_apart(&mixed), Some(false));
        assert_eq!(told_apart(&[vec![2.0; 3], vec![2.0; 3]]), Some(false), "all the same");
    }

    #[test]
    fn too_few_values_say_nothing() {
        assert_eq!(told_apart(&[]), None);
        assert_eq!(told_apart(&[vec![1.0, 2.0, 3.0]]), None);
        assert_eq!(told_apart(&[vec![1.0], vec![9.0]]), None);
        assert_eq!(told_apart(&[vec![1.0, 2.0], vec![8.0, 9.0]]), None);
    }

    #[test]
    fn of_groups_that_are_alike_few_are_told_apart() {
        let mut state = 1_u64;
        let mut chance = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64
        };
        let mut trial = || (0..10).map(|_| (0..3).map(|_| chance()).collect()).collect::<Vec<_>>();
        let found = (0..1_000).filter(|_| told_apart(&trial()) == Some(true)).count();
        assert!(found < 60, "{found} of 1,000");
    }
}
