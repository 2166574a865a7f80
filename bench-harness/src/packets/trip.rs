//! A row of `trips.csv`: how long a datagram is under way to an echo and back, one at a time.

use serde::{Deserialize, Serialize};

use super::rate::Outcome;

/// One way of sending datagrams back, in one pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// The way.
    pub way: String,
    /// The number of the pass, from 1.
    pub pass: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not there; empty when it is.
    pub reason: String,
    /// CPUs that others used just before the pass, where the kernel tells.
    pub others_cpus: Option<f64>,
    /// Round trips.
    pub trips: u64,
    /// Datagrams that did not come back.
    pub lost: u64,
    /// The shortest, in nanoseconds.
    pub least_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// 90 of 100 are not longer.
    pub p90_ns: u64,
    /// 99 of 100 are not longer.
    pub p99_ns: u64,
    /// 999 of 1000 are not longer.
    pub p999_ns: u64,
    /// The longest.
    pub most_ns: u64,
}

/// What `servers packet generate ping` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    trips: u64,
    lost: u64,
    least_ns: u64,
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    most_ns: u64,
}

impl Said {
    /// The row of a way.
    #[must_use]
    pub fn of(self, way: &str, pass: u32, others_cpus: Option<f64>) -> Trip {
        let Self { trips, lost, least_ns, p50_ns, p90_ns, p99_ns, p999_ns, most_ns } = self;
        Trip {
            way: way.to_owned(),
            pass,
            outcome: Outcome::Ok,
            reason: String::new(),
            others_cpus,
            trips,
            lost,
            least_ns,
            p50_ns,
            p90_ns,
            p99_ns,
            p999_ns,
            most_ns,
        }
    }
}
