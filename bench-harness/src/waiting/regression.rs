//! Weighted linear least squares, with intervals from a bootstrap over passes.
//!
//! The times span four decades, and their errors are proportional to them; so each observation is
//! weighted by the inverse square of its size, and what is least is the sum of squared *relative*
//! residuals. The normal equations are small (at most four terms) and are solved after each column
//! was scaled to unit length, since terms differ by as many decades.
//!
//! Passes are drawn with replacement as wholes, since whatever disturbs one moves all of its
//! conditions. Percentiles of so few passes lie too close together; they are moved apart as
//! Student's t demands (T. Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section
//! 4.3).

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

/// The most terms of a model.
const TERMS_MAX: usize = 4;
/// A pivot below this, of columns of unit length, means that terms can't be told apart.
const SINGULAR: f64 = 1e-10;
/// Bootstrap samples.
const RESAMPLES: u64 = 2_000;
/// The 97.5 % point of the normal distribution.
const NORMAL: f64 = 1.959_964;
/// That of Student's t with 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// What was seen once.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The pass that it is from.
    pub pass: u32,
    /// The value of each term.
    pub terms: Vec<f64>,
    /// What came out.
    pub value: f64,
    /// How large it usually is: its errors are in proportion to this.
    pub size: f64,
}

/// A coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value that fits best.
    pub value: f64,
    /// Its 95 % interval; none from a single pass.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Whether the interval contains a value; none is known to.
    #[must_use]
    pub fn may_be(&self, value: f64) -> bool {
        self.interval.is_none_or(|(low, high)| (low..=high).contains(&value))
    }
}

/// The coefficients, one a term, and the share of the weighted variance that they explain; none
/// where the terms can't be told apart.
#[must_use]
pub fn regress(observations: &[Observation], seed: u64) -> Option<(Vec<Estimate>, f64)> {
    observations.first()?;
    let passes = passes(observations);
    let best = sum(passes.iter()).solve()?;
    let intervals = intervals(&passes, &best, seed);
    let estimate = |(term, &value): (usize, &f64)| Estimate {
        value,
        interval: intervals.as_ref().map(|intervals| intervals[term]),
    };
    let estimates = best.iter().enumerate().map(estimate).collect();
    Some((estimates, explained(observations, &best)))
}

/// The sum of terms times coefficients.
#[must_use]
pub fn predict(terms: &[f64], coefficients: impl IntoIterator<Item = f64>) -> f64 {
    terms.iter().zip(coefficients).map(|(term, coefficient)| term * coefficient).sum()
}

/// The normal equations of some observations. Those of several passes are added up.
#[derive(Clone, Debug, Default)]
struct Normal {
    terms: usize,
    matrix: [[f64; TERMS_MAX]; TERMS_MAX],
    right: [f64; TERMS_MAX],
}

impl Normal {
    fn add(&mut self, observation: &Observation) {
        let Observation { terms, value, size, .. } = observation;
        let weight = 1.0 / (size * size);
        self.terms = terms.len().min(TERMS_MAX);
        for (row, x) in terms.iter().take(TERMS_MAX).enumerate() {
            self.right[row] += weight * x * value;
            for (column, y) in terms.iter().take(TERMS_MAX).enumerate() {
                self.matrix[row][column] += weight * x * y;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.terms = self.terms.max(other.terms);
        for row in 0..TERMS_MAX {
            self.right[row] += other.right[row];
            for column in 0..TERMS_MAX {
                self.matrix[row][column] += other.matrix[row][column];
            }
        }
    }

    /// Gauss and Jordan, on scaled columns. The matrix is positive definite, so that the diagonal
    /// will do for pivots.
    fn solve(&self) -> Option<Vec<f64>> {
        let Self { terms, mut matrix, mut right } = *self;
        let scale: Vec<_> = (0..terms).map(|term| matrix[term][term].sqrt()).collect();
        for row in 0..terms {
            right[row] /= scale[row];
            (0..terms).for_each(|column| matrix[row][column] /= scale[row] * scale[column]);
        }
        for pivot in 0..terms {
            let size = matrix[pivot][pivot];
            if size.is_nan() || size < SINGULAR {
                return None;
            }
            for row in (0..terms).filter(|row| *row != pivot) {
                let factor = matrix[row][pivot] / size;
                right[row] -= factor * right[pivot];
                (pivot..terms).for_each(|column| {
                    matrix[row][column] -= factor * matrix[pivot][column];
                });
            }
        }
        Some((0..terms).map(|term| right[term] / matrix[term][term] / scale[term]).collect())
    }
}

fn passes(observations: &[Observation]) -> Vec<Normal> {
    let mut numbers: Vec<_> = observations.iter().map(|observation| observation.pass).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let normal = |number: &u32| {
        let mut normal = Normal::default();
        let of_pass = observations.iter().filter(|observation| observation.pass == *number);
        of_pass.for_each(|observation| normal.add(observation));
        normal
    };
    numbers.iter().map(normal).collect()
}

fn sum<'a>(normals: impl Iterator<Item = &'a Normal>) -> Normal {
    let mut sum = Normal::default();
    normals.for_each(|normal| sum.merge(normal));
    sum
}

fn intervals(passes: &[Normal], best: &[f64], seed: u64) -> Option<Vec<(f64, f64)>> {
    let count = passes.len();
    let spread = spread(count)?;
    let resample = |number: u64| {
        let mut random = SmallRng::seed_from_u64(seed.rotate_left(32) ^ number);
        sum((0..count).map(|_| &passes[random.random_range(0..count)])).solve()
    };
    let samples: Vec<_> = (0..RESAMPLES).into_par_iter().filter_map(resample).collect();
    let interval = |(term, best): (usize, &f64)| {
        let mut deviations: Vec<_> = samples.iter().map(|sample| sample[term] - best).collect();
        deviations.sort_by(f64::total_cmp);
        let at = |share: f64| {
            deviations.get((share * (deviations.len().max(1) - 1) as f64).round() as usize)
        };
        Some((best + spread * at(0.025)?, best + spread * at(0.975)?))
    };
    best.iter().enumerate().map(interval).collect()
}

/// How much farther than its bootstrap percentiles an interval from so few passes has to reach.
fn spread(passes: usize) -> Option<f64> {
    let freedom = passes.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let student = STUDENT.get(freedom - 1).copied().unwrap_or(NORMAL);
    Some(student / NORMAL * (passes as f64 / freedom as f64).sqrt())
}

/// R², with the weights of the fit.
fn explained(observations: &[Observation], coefficients: &[f64]) -> f64 {
    let weight = |observation: &Observation| 1.0 / (observation.size * observation.size);
    let all: f64 = observations.iter().map(weight).sum();
    let mean = observations.iter().map(|o| weight(o) * o.value).sum::<f64>() / all;
    let squares = |from: &dyn Fn(&Observation) -> f64| -> f64 {
        observations.iter().map(|o| weight(o) * (o.value - from(o)).powi(2)).sum()
    };
    let left = squares(&|o| predict(&o.terms, coefficients.iter().copied()));
    1.0 - left / squares(&|_| mean).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANTED: [f64; 3] = [400.0, 9.0, 60.0];

    /// The sum of twelve uniform variables is close to normal, and so is its tail to two
    /// deviations.
    fn noise(random: &mut SmallRng) -> f64 {
        (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Passes that are as a whole a percent off, and conditions that are two percent off each.
    fn noisy(seed: u64, passes: u32) -> Vec<Observation> {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut all = Vec::new();
        for pass in 0..passes {
            let drift = 1.0 + 0.01 * noise(&mut random);
            for idle in [0.0, 10.0, 100.0, 1_000.0, 10_000.0] {
                for active in [1.0, 16.0, 256.0] {
                    let terms = vec![1.0, idle, active];
                    let size = predict(&terms, PLANTED);
                    let value = size * drift * (1.0 + 0.02 * noise(&mut random));
                    all.push(Observation { pass, terms, value, size });
                }
            }
        }
        all
    }

    #[test]
    fn planted_coefficients_are_found_exactly_where_there_is_no_noise() {
        let mut exact = noisy(1, 2);
        exact.iter_mut().for_each(|o| o.value = o.size);
        let (found, explained) = regress(&exact, 1).unwrap();
        for (found, planted) in found.iter().zip(PLANTED) {
            assert!((found.value / planted - 1.0).abs() < 1e-9, "{found:?}");
        }
        assert!((explained - 1.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_cover_what_was_planted_about_as_often_as_they_say() {
        for passes in [4, 10] {
            let runs: u32 = 300;
            let mut covered = [0_u32; 3];
            for run in 0..runs {
                let (found, explained) = regress(&noisy(u64::from(run), passes), 7).unwrap();
                assert!(explained > 0.99);
                for ((found, planted), covered) in found.iter().zip(PLANTED).zip(&mut covered) {
                    assert!((found.value / planted - 1.0).abs() < 0.1, "{found:?}");
                    *covered += u32::from(found.may_be(planted));
                }
            }
            for covered in covered {
                let share = f64::from(covered) / f64::from(runs);
                assert!((0.91..=0.985).contains(&share), "{share} of {passes} passes");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals() {
        let observations = noisy(1, 10);
        assert_eq!(regress(&observations, 3), regress(&observations, 3));
        assert_ne!(regress(&observations, 3), regress(&observations, 4));
    }

    #[test]
    fn terms_that_cannot_be_told_apart_have_no_coefficients() {
        let mut one_active = noisy(1, 3);
        one_active.retain(|o| o.terms[2] == 1.0);
        assert_eq!(regress(&one_active, 1), None);
        assert_eq!(regress(&[], 1), None);
    }

    #[test]
    fn a_single_pass_has_no_intervals() {
        let (found, _) = regress(&noisy(1, 1), 1).unwrap();
        assert!(found.iter().all(|found| found.interval.is_none() && found.may_be(0.0)));
    }
}
