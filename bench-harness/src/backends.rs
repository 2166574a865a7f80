//! What stands behind a proxy: what it did, and whether it, rather than the proxy, was the limit.
//!
//! The CPU time of a backend is known for its whole life, and so are its answers. Their ratio times
//! the rate of the measuring phase is what it used then: the warm-up is load of the same kind.

use crate::launch::Backend;
use crate::launch::pinning::Pinning;
use crate::record::{REASON_END, Row, per, rounded};

/// From this share on, a CPU counts as used up.
const BUSY: f64 = 0.90;

impl Row {
    /// Takes in what the backends of a proxy did over their lives, warm-up included.
    pub fn take_backends(&mut self, backends: &[Backend]) {
        if backends.is_empty() {
            return;
        }
        let list = |count: fn(&Backend) -> u64| {
            let counts: Vec<_> = backends.iter().map(|one| count(one).to_string()).collect();
            Some(counts.join(REASON_END))
        };
        self.backends = Some(backends.len());
        self.backend_answered = list(|one| one.answered);
        self.backend_accepted = list(|one| one.accepted);
        let answered: u64 = backends.iter().map(|one| one.answered).sum();
        let cpu_ns = |cpu_ns| per(cpu_ns, answered);
        let all = cpu_ns(backends.iter().map(|one| one.cpu_ns).sum());
        self.backend_us_per_request = all.map(|ns| rounded(ns / 1e3));
        let busiest = backends.iter().map(|one| one.cpu_ns).max().and_then(cpu_ns);
        let share = |ns: f64| Some(rounded(ns / 1e9 * self.rate_per_s?));
        self.backend_busiest_cpu_share = busiest.and_then(share);
    }

    /// How many requests each backend answered, in the order in which the proxy was told of them.
    #[must_use]
    pub fn answered_by_backend(&self) -> Vec<u64> {
        let counts = self.backend_answered.iter().flat_map(|list| list.split(REASON_END));
        counts.filter_map(|count| count.parse().ok()).collect()
    }

    /// CPUs that all backends used together in the measuring phase.
    #[must_use]
    pub fn backend_cpus(&self) -> Option<f64> {
        Some(self.backend_us_per_request? / 1e6 * self.rate_per_s?)
    }
}

/// Whether they were.
pub(crate) fn were_the_limit(row: &Row, pinning: &Pinning) -> bool {
    limit(row, pinning).is_some()
}

/// Why what stands behind a proxy was the limit, if it was: then the rate is not the proxy's.
pub(crate) fn limit(row: &Row, pinning: &Pinning) -> Option<String> {
    let (busiest, all) = (row.backend_busiest_cpu_share?, row.backend_cpus()?);
    if busiest >= BUSY {
        let percent = 100.0 * busiest;
        return Some(format!("the busiest backend used {percent:.0} % of the CPU it can use"));
    }
    let client = row.client_cpu_share.filter(|_| pinning.backends.is_empty()).unwrap_or(0.0);
    let (used, cpus) = (all + client, pinning.behind().len() as f64);
    (used >= BUSY * cpus).then(|| {
        let sharers = if client > 0.0 { "backends and load generator" } else { "backends" };
        format!("{sharers} used {used:.2} of their {cpus} CPUs")
    })
}
