//! The send times of one lane, one after the other.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::ramp::Ramp;
use super::walk::Walk;
use super::{Lane, Pattern, Schedule};

/// The send times of one lane in nanoseconds since the load began, in order; without end, except
/// for those of a trace.
///
/// A clone goes on from the same place for itself: one may count what is due while the other sends.
/// A step takes no memory; with random gaps it goes through the times of all lanes up to its next.
#[derive(Clone, Debug)]
pub struct Arrivals {
    times: Times,
    index: u64,
    of: u64,
}

/// The times of all lanes, to be asked for in ascending order.
#[derive(Clone, Debug)]
enum Times {
    Even { size: NonZeroU64, rate: f64 },
    Random(Walk),
    Ramp(Ramp),
    Trace(Arc<[u64]>),
}

impl Arrivals {
    pub(super) fn new(schedule: &Schedule, lane: Lane) -> Self {
        Self { times: Times::new(schedule), index: lane.index, of: lane.of.max(1) }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let time = self.times.at(self.index);
        self.index += self.of;
        time
    }
}

impl Times {
    fn new(schedule: &Schedule) -> Self {
        let Schedule { ref pattern, rate, seed, lead, length } = *schedule;
        match (pattern, schedule.gaps()) {
            (_, Some(law)) => Self::Random(Walk::new(law, seed)),
            (Pattern::Bursts(size), _) => Self::Even { size: *size, rate },
            (Pattern::Ramp(from), _) => Self::Ramp(Ramp::new(*from, rate, lead, length)),
            (Pattern::Trace(trace), _) => Self::Trace(Arc::clone(trace.times())),
            (_, None) => Self::Even { size: NonZeroU64::MIN, rate },
        }
    }

    #[inline]
    fn at(&mut self, index: u64) -> Option<u64> {
        match self {
            Self::Even { size, rate } => Some(even(index / *size * size.get(), *rate)),
            Self::Random(walk) => Some(walk.at(index)),
            Self::Ramp(ramp) => Some(ramp.at(index)),
            Self::Trace(times) => times.get(usize::try_from(index).ok()?).copied(),
        }
    }
}

/// When so many requests have passed. Each time is computed anew, so rounding never adds up.
#[inline]
fn even(requests: u64, rate: f64) -> u64 {
    (requests as f64 * 1e9 / rate) as u64
}
