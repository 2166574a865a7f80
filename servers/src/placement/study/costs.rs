//! What a method costs: a look-up, a set-up, and the memory.
//!
//! A look-up takes less time than a reading of the clock, so batches of them are timed, over keys
//! that differ: a table that has to be fetched from memory shows. The first batches, in which
//! caches and predictors learn, do not count. Of the others the quartiles are told: the median is
//! the number, the rest says how steady it is.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Study, keys, names, of_weight_one, rounded};
use crate::placement::{Choice, Method, Placement};

/// Look-ups in a batch, each of another key.
const BATCH: u32 = 4_096;
/// So many batches before those that count.
const WARM_UP: usize = 2;
/// So many are timed however long they take.
const BATCHES_MIN: usize = 5;

/// One method with so many nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// How many nodes there are.
    pub nodes: u32,
    /// Batches of look-ups timed.
    pub batches: usize,
    /// A quarter of the batches took at most so long for a look-up, in nanoseconds.
    pub lookup_q25_ns: f64,
    /// The median.
    pub lookup_median_ns: f64,
    /// Three quarters.
    pub lookup_q75_ns: f64,
    /// Taking in all nodes at once, in microseconds: the median.
    pub build_us: f64,
    /// What is kept for them, in octets.
    pub octets: usize,
}

/// The fields of a row.
pub const HEAD: [&str; 8] = [
    "method",
    "nodes",
    "batches",
    "lookup_q25_ns",
    "lookup_median_ns",
    "lookup_q75_ns",
    "build_us",
    "octets",
];

/// A row a method and number of nodes.
///
/// # Errors
/// When a method has no room for so many nodes.
pub fn rows(study: &Study, budget: Duration) -> anyhow::Result<Vec<Row>> {
    let keys = keys::drawn(study.seed, BATCH);
    let mut rows = Vec::new();
    for (method, nodes) in study.cells() {
        let placement = study.placed(method, nodes)?;
        let lookups = repeated(budget, || look_up(method, &*placement, &keys));
        let names = names(nodes);
        let members = of_weight_one(&names);
        let builds = repeated(budget / 4, || build(method, study, &members));
        let lookup = |share: f64| rounded(quantile(&lookups, share) / f64::from(BATCH));
        rows.push(Row {
            method: method.name,
            nodes,
            batches: lookups.len(),
            lookup_q25_ns: lookup(0.25),
            lookup_median_ns: lookup(0.5),
            lookup_q75_ns: lookup(0.75),
            build_us: rounded(quantile(&builds, 0.5) / 1e3),
            octets: placement.octets(),
        });
    }
    Ok(rows)
}

/// What each of many repetitions took, in nanoseconds, ascending.
fn repeated(budget: Duration, mut work: impl FnMut()) -> Vec<f64> {
    (0..WARM_UP).for_each(|_| work());
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < BATCHES_MIN || start.elapsed() < budget {
        let begun = Instant::now();
        work();
        times.push(begun.elapsed().as_nanos() as f64);
    }
    times.sort_by(f64::total_cmp);
    times
}

/// Looks all keys up. Where loads count, they are even: nobody is full.
fn look_up(method: &Method, placement: &dyn Placement, keys: &[u64]) {
    match method.choice {
        Choice::Key => keys.iter().for_each(|&key| {
            black_box(placement.place(black_box(key)));
        }),
        Choice::Load(bound) => keys.iter().for_each(|&key| {
            black_box(bound.place(placement, black_box(key), 0, |_| black_box(0)));
        }),
    }
}

fn build(method: &Method, study: &Study, members: &[(&str, u32)]) {
    let mut placement = (method.new)(&study.shape);
    // There is room: all of them were in before.
    let _ = black_box(placement.add_all(members));
}

/// The value below which this share of the values lies; they are ascending, and there is one.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{METHODS, Shape};

    #[test]
    fn every_method_has_its_costs() {
        let (methods, nodes) = (METHODS.iter().collect(), vec![1, 3]);
        let study = Study { methods, nodes, keys: 1, seed: 1, shape: Shape::default() };
        let rows = rows(&study, Duration::ZERO).unwrap();
        assert_eq!(rows.len(), 2 * METHODS.len());
        for row in rows {
            assert!(0.0 < row.lookup_q25_ns && row.lookup_q25_ns <= row.lookup_median_ns);
            assert!(row.lookup_median_ns <= row.lookup_q75_ns, "{row:?}");
            assert!(row.build_us > 0.0 && row.octets > 0 && row.batches == BATCHES_MIN);
        }
    }

    #[test]
    fn the_work_is_in_the_time() {
        let nap = Duration::from_millis(2);
        let times = repeated(Duration::ZERO, || std::thread::sleep(nap));
        assert!(times.len() == BATCHES_MIN && times[0] >= nap.as_nanos() as f64);
    }

    #[test]
    fn quantiles_are_values() {
        assert_eq!(
            [0.0, 0.25, 0.5, 1.0].map(|share| quantile(&[1., 2., 3., 4., 9.], share)),
            [1., 2., 3., 9.]
        );
        assert_eq!(quantile(&[7.0], 0.75), 7.0);
    }
}
