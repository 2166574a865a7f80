//! When requests are to be sent: planned before the run, by a seed, and the same against every
//! server.
//!
//! ```text
//!   Pattern, rate, seed ──▶ one sequence of times ──▶ dealt out in turn to the lanes
//!                           t0 t1 t2 t3 t4 t5 …       lane 0 of 2: t0 t2 t4 …
//!                                                     lane 1 of 2: t1 t3 t5 …
//! ```
//!
//! Nothing here knows a clock. All that happens is arithmetic of which IEEE 754 fixes every bit, so
//! a schedule is the same on every machine: several agents follow one schedule without talking to
//! each other, and their [`Schedule::fingerprint`] shows that they do.

mod arrivals;
mod fingerprint;
mod law;
mod pattern;
mod ramp;
mod random;
mod trace;
mod walk;

use std::time::Duration;

use self::fingerprint::Fingerprint;
#[cfg(test)]
pub(crate) use self::random::SplitMix64;
pub use self::{arrivals::Arrivals, law::GapLaw, pattern::Pattern, trace::Trace};

/// A plan of send times.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// How the times are spread.
    pub pattern: Pattern,
    /// Requests a second, over all threads and all agents, in the long run. A trace has its own.
    pub rate: f64,
    /// The same seed gives the same times.
    pub seed: u64,
    /// Time before measuring begins: what changes with time begins after it.
    pub lead: Duration,
    /// The length of the measuring phase.
    pub length: Duration,
}

/// One of several that share a schedule: it takes every `of`-th time, beginning with `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Counted from 0.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Schedule {
    /// The times of one lane. All lanes together have exactly the times of the schedule.
    #[must_use]
    pub fn arrivals(&self, lane: Lane) -> Arrivals {
        Arrivals::new(self, lane)
    }

    /// The law of the gaps between the times of all lanes, if they are independent of each other
    /// and have one: those of Poisson and Pareto arrivals do.
    #[must_use]
    pub fn gaps(&self) -> Option<GapLaw> {
        let mean_ns = 1e9 / self.rate;
        match self.pattern {
            Pattern::Poisson => Some(GapLaw::exponential(mean_ns)),
            Pattern::Pareto(alpha) => Some(GapLaw::pareto(alpha, mean_ns)),
            Pattern::Constant | Pattern::Bursts(_) | Pattern::Ramp(_) | Pattern::Trace(_) => None,
        }
    }

    /// A number that equal schedules share, on every machine, and others don't. Of a trace the
    /// times count and not the path of the file.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let pattern = match &self.pattern {
            Pattern::Trace(trace) => {
                let word = Fingerprint::default().octets(b"trace");
                trace.times().iter().fold(word, |print, time| print.number(*time))
            }
            pattern => Fingerprint::default().octets(pattern.to_string().as_bytes()),
        };
        let print = pattern.number(self.rate.to_bits()).number(self.seed);
        print.number(nanos(self.lead)).number(nanos(self.length)).value()
    }
}

#[cfg(test)]
mod tests;
