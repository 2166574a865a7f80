//! Latencies by time: a coarse histogram for each slice of the measuring phase.
//!
//! One histogram of a whole run can't tell a slow minute from slow requests all along. So each
//! slice has a histogram of its own, coarse enough that all of them take 256 KiB. A slice is 2^k ns
//! long: which one a time belongs to takes a shift, and two neighbours make one of the next length.

use super::scale::{self, BUCKETS};

/// Slices there can be.
const SLICES: usize = 256;

/// The shortest slice is 2^20 ns long, about 1 ms: a shorter one would have next to nothing in it.
const SHORTEST_BITS: u32 = 20;

/// Slices of a phase of unknown length are 2^23 ns long at first, about 8 ms.
const FIRST_BITS: u32 = 23;

/// How often each bucket of the scale was hit.
type Row = [u32; BUCKETS];

/// Coarse histograms of consecutive slices of time.
#[derive(Clone, Debug)]
pub struct Slices {
    /// A slice is 2^bits ns long.
    bits: u32,
    rows: Box<[Row]>,
}

impl Default for Slices {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Slices {
    /// Slices of a phase that is `length_ns` long, if that is known beforehand. If it isn't, or if
    /// it lasts longer, slices grow while recording.
    #[must_use]
    pub fn new(length_ns: Option<u64>) -> Self {
        let fits = |bits: &u32| length_ns.is_some_and(|length| length >> bits < SLICES as u64);
        let bits = (SHORTEST_BITS..u64::BITS).find(fits).unwrap_or(FIRST_BITS);
        Self { bits, rows: vec![[0; BUCKETS]; SLICES].into_boxed_slice() }
    }

    /// Adds a latency, at that time since the phase began. Never allocates.
    #[inline]
    pub fn record(&mut self, at_ns: u64, latency_ns: u64) {
        while at_ns >> self.bits >= SLICES as u64 {
            self.widen();
        }
        let count = &mut self.rows[(at_ns >> self.bits) as usize][scale::bucket(latency_ns)];
        *count = count.saturating_add(1);
    }

    /// Adds what another thread recorded in the same phase. Slices of different lengths become as
    /// long as the longer ones.
    pub fn merge(&mut self, other: &Self) {
        if self.used().is_empty() {
            return self.clone_from(other);
        }
        while self.bits < other.bits {
            self.widen();
        }
        for (index, row) in other.used().iter().enumerate() {
            add(&mut self.rows[index >> (self.bits - other.bits)], row);
        }
    }

    /// Forgets everything. The length of the slices stays.
    pub fn reset(&mut self) {
        self.rows.fill([0; BUCKETS]);
    }

    /// Makes slices twice as long: each two neighbours become one.
    #[cold]
    fn widen(&mut self) {
        for index in 0..SLICES / 2 {
            let mut row = self.rows[2 * index];
            add(&mut row, &self.rows[2 * index + 1]);
            self.rows[index] = row;
        }
        self.rows[SLICES / 2..].fill([0; BUCKETS]);
        self.bits += 1;
    }

    /// The same latencies in longer and fewer slices: at most `count`.
    #[must_use]
    pub fn at_most(&self, count: usize) -> Self {
        let mut longer = self.clone();
        while longer.used().len() > count.max(1) {
            longer.widen();
        }
        longer
    }

    /// The length of a slice in nanoseconds.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        1 << self.bits
    }

    /// How many latencies there are in each slice, up to the last one that has any.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        self.used().iter().map(count).collect()
    }

    /// In each slice, how many latencies are `bound_ns` or more. The bound is moved down to the
    /// next edge of the scale, by an eighth at most.
    #[must_use]
    pub fn counts_from(&self, bound_ns: u64) -> Vec<u64> {
        let bucket = scale::bucket(bound_ns);
        self.used().iter().map(|row| count(&row[bucket..])).collect()
    }

    /// A quantile, between 0 and 1, of each slice in nanoseconds; none where a slice is empty.
    /// Within a bucket of the scale the latencies are taken to be spread evenly.
    #[must_use]
    pub fn quantiles(&self, quantile: f64) -> Vec<Option<f64>> {
        self.used().iter().map(|row| quantile_of(row, quantile)).collect()
    }

    /// The edge of the scale that parts the latencies of all slices best into that share, between 0
    /// and 1, below it and the rest from it on; none if they are all between two edges.
    #[must_use]
    pub(super) fn bound(&self, share: f64) -> Option<u64> {
        let mut sums = [0_u64; BUCKETS];
        for row in self.used() {
            sums.iter_mut().zip(row).for_each(|(sum, &count)| *sum += u64::from(count));
        }
        let all = sums.iter().sum::<u64>() as f64;
        let below = sums.iter().scan(0, |below, count| {
            *below += count;
            Some(*below as f64 / all)
        });
        // The share beyond an edge counts as near if it is near as a factor: 0.9 % is nearer to 1 %
        // than 2 % is.
        let apart = |below: f64| ((1.0 - below) / (1.0 - share)).ln().abs();
        let parting = below.enumerate().filter(|&(_, below)| 0.0 < below && below < 1.0);
        let best = parting.min_by(|one, other| apart(one.1).total_cmp(&apart(other.1)));
        best.map(|(bucket, _)| scale::edge(bucket + 1))
    }

    /// The slices up to the last one that has anything in it.
    fn used(&self) -> &[Row] {
        let last = self.rows.iter().rposition(|row| row.iter().any(|&count| count > 0));
        &self.rows[..last.map_or(0, |last| last + 1)]
    }
}

fn add(row: &mut Row, other: &Row) {
    row.iter_mut().zip(other).for_each(|(count, more)| *count = count.saturating_add(*more));
}

fn count(row: impl AsRef<[u32]>) -> u64 {
    row.as_ref().iter().map(|&count| u64::from(count)).sum()
}

fn quantile_of(row: &Row, quantile: f64) -> Option<f64> {
    let wanted = quantile * count(row) as f64;
    let mut below = 0.0;
    for (bucket, &here) in row.iter().enumerate().filter(|(_, here)| **here > 0) {
        let here = f64::from(here);
        if below + here >= wanted {
            let (low, high) = (scale::edge(bucket) as f64, scale::edge(bucket + 1) as f64);
            return Some(low + (high - low) * (wanted - below) / here);
        }
        below += here;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_known_length_has_as_many_slices_as_fit() {
        for length in [SECOND / 10, SECOND, 10 * SECOND, 3600 * SECOND] {
            let mut slices = Slices::new(Some(length));
            let width = slices.length_ns();
            slices.record(length, 1);
            assert_eq!(slices.length_ns(), width, "the end is within");
            let used = slices.counts().len();
            assert!(used <= SLICES && (used > SLICES / 2 || width == 1 << SHORTEST_BITS));
        }
    }

    #[test]
    fn slices_grow_with_a_phase_of_unknown_length() {
        let mut slices = Slices::new(None);
        (0..10_000).for_each(|index| slices.record(index * SECOND / 100, 1000 * index));
        assert_eq!(slices.counts().iter().sum::<u64>(), 10_000);
        let each = slices.length_ns() as f64 / (SECOND as f64 / 100.0);
        let counts = slices.counts();
        let full = &counts[..counts.len() - 1];
        assert!(full.iter().all(|&count| (count as f64 - each).abs() <= 1.0), "{full:?}");
        slices.record(u64::MAX, u64::MAX);
        assert_eq!(slices.counts().iter().sum::<u64>(), 10_001);
    }

    #[test]
    fn merging_gives_what_one_thread_would_have_found() {
        let (mut fine, mut coarse) = (Slices::new(Some(SECOND)), Slices::new(Some(9 * SECOND)));
        let mut both = coarse.clone();
        for index in 0..1000 {
            let (at, latency) = (index * SECOND / 1000, (index * 7919) % 100_003);
            if index % 3 == 0 { &mut fine } else { &mut coarse }.record(at, latency);
            both.record(at, latency);
        }
        for (mut one, other) in [(fine.clone(), &coarse), (coarse.clone(), &fine)] {
            one.merge(other);
            assert_eq!((one.bits, &one.rows), (both.bits, &both.rows));
        }
        let mut nothing = Slices::default();
        nothing.merge(&fine);
        assert_eq!(nothing.bits, fine.bits, "nothing is lost by merging into nothing");
    }

    #[test]
    fn quantiles_and_counts_are_by_slice() {
        let mut slices = Slices::new(Some(2 * SECOND));
        let width = slices.length_ns();
        for latency in 1..=1000 {
            slices.record(0, 1000 * latency);
            slices.record(2 * width, 10_000 * latency);
        }
        let medians = slices.quantiles(0.5);
        assert_eq!((medians.len(), medians[1]), (3, None));
        for (found, exact) in [(medians[0], 500_000.0), (medians[2], 5_000_000.0)] {
            assert!((found.expect("not empty") / exact - 1.0).abs() < 0.02, "{found:?}");
        }
        let (slow, bound) = (slices.counts_from(1 << 20), 1 << 20);
        assert_eq!(slow, [0, 0, 1000 - bound / 10_000]);
    }

    #[test]
    fn fewer_slices_have_the_same_latencies() {
        let mut slices = Slices::new(Some(SECOND));
        (0..1000).for_each(|index| slices.record(index * 1_000_000, 5000));
        let few = slices.at_most(10).counts();
        assert!((6..=10).contains(&few.len()), "{few:?}");
        assert_eq!(few.iter().sum::<u64>(), 1000);
        assert_eq!(Slices::default().at_most(0).counts(), [0_u64; 0]);
    }

    #[test]
    fn forgetting_leaves_nothing() {
        let mut slices = Slices::new(None);
        slices.record(5, 5);
        slices.reset();
        assert!(slices.counts().is_empty());
    }
}
