//! The result, for programs.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::arguments::Plan;
use super::felt::Felt;
use super::polite::Kind;
use super::tally::Tally;
use crate::report::Errors;

/// What an attack came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was attacked.
    pub target: String,
    /// How.
    pub mode: String,
    /// Hostile connections that were to be open at a time.
    pub connections: u64,
    /// How long.
    pub duration_ns: u64,
    /// Connections that were begun: `established + refused + dialling`.
    pub attempted: u64,
    /// Connections that were made: `finished + reset + reset_by_us + open`.
    pub established: u64,
    /// Connections that were not to be had.
    pub refused: u64,
    /// Why the first of them was not.
    pub first_error: Option<String>,
    /// Connections that were still being made at the end.
    pub dialling: u64,
    /// Connections that were still open at the end.
    pub open: u64,
    /// Connections that the clients reset.
    pub reset_by_us: u64,
    /// Connections that the server ended in good order (FIN).
    pub finished: Ended,
    /// Connections that the server reset.
    pub reset: Ended,
    /// Octets that the kernel took.
    pub octets_sent: u64,
    /// Octets that were read.
    pub octets_received: u64,
    /// What polite clients felt.
    pub polite: Vec<PoliteReport>,
    /// What the server used, if it was watched.
    pub watched: Option<WatchReport>,
}

/// Connections that the server ended, and how old they were then: its deadlines at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How many.
    pub count: u64,
    /// The youngest, in nanoseconds.
    pub min_ns: u64,
    /// The median, in nanoseconds.
    pub median_ns: u64,
    /// The oldest, in nanoseconds.
    pub max_ns: u64,
}

/// What polite clients of one kind felt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoliteReport {
    /// `regular`: keeps its connection; `newcomer`: takes a new one for each request.
    pub kind: String,
    /// How many of them.
    pub clients: u64,
    /// Before the attack.
    pub before: Bearing,
    /// During it.
    pub during: Bearing,
    /// After it.
    pub after: Bearing,
}

/// How the server bore up in one phase: `due = answered + errors + unsent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearing {
    /// Requests that were due.
    pub due: u64,
    /// Those with a right answer.
    pub answered: u64,
    /// Those that failed.
    pub errors: Errors,
    /// Those that were given up before they were sent, since an earlier one was still out.
    pub unsent: u64,
    /// The median of the latency, in nanoseconds from when a request was due. A request without an
    /// answer counts as slower than all others; none stands for one of those.
    pub p50_ns: Option<u64>,
    /// The same, for the slowest of a hundred.
    pub p99_ns: Option<u64>,
    /// The slowest answer.
    pub max_ns: Option<u64>,
}

/// What the server used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchReport {
    /// Resident memory when the attack began.
    pub resident_octets_before: u64,
    /// The most that was seen during it.
    pub resident_octets_peak: u64,
    /// At the end of the run.
    pub resident_octets_after: u64,
    /// The most threads that were seen.
    pub threads_peak: u64,
    /// Threads at the end of the run.
    pub threads_after: u64,
    /// CPUs in use before the attack, on average.
    pub cpu_before: f64,
    /// During it.
    pub cpu_during: f64,
    /// After it.
    pub cpu_after: f64,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        tally: &Tally,
        felt: &[(Kind, [Felt; 3])],
        watched: Option<WatchReport>,
    ) -> Self {
        let kinds = [Kind::Regular, Kind::Newcomer];
        Self {
            target: plan.target.given.clone(),
            mode: plan.mode.name().to_owned(),
            connections: plan.connections as u64,
            duration_ns: u64::try_from(plan.duration.as_nanos()).unwrap_or(u64::MAX),
            attempted: tally.attempted,
            established: tally.established,
            refused: tally.refused,
            first_error: tally.first_error.clone(),
            dialling: tally.dialling,
            open: tally.open,
            reset_by_us: tally.reset_by_us,
            finished: Ended::new(&tally.finished),
            reset: Ended::new(&tally.reset),
            octets_sent: tally.octets_sent,
            octets_received: tally.octets_received,
            polite: kinds.iter().filter_map(|&kind| PoliteReport::new(kind, felt)).collect(),
            watched,
        }
    }

    /// One JSON object, with a new line at its end.
    pub(super) fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a record of numbers and strings");
        text + "\n"
    }
}

impl Ended {
    fn new(ages: &Histogram<u64>) -> Self {
        if ages.is_empty() {
            return Self::default();
        }
        let (median_ns, max_ns) = (ages.value_at_quantile(0.5), ages.max());
        Self { count: ages.len(), min_ns: ages.min(), median_ns, max_ns }
    }
}

impl PoliteReport {
    /// All clients of a kind together; none if there are none.
    fn new(kind: Kind, felt: &[(Kind, [Felt; 3])]) -> Option<Self> {
        let of_kind: Vec<_> = felt.iter().filter(|(other, _)| *other == kind).collect();
        let bearing = |phase: usize| {
            let mut sum = Felt::new();
            of_kind.iter().for_each(|(_, felt)| sum.merge(&felt[phase]));
            Bearing::new(&sum)
        };
        let name = match kind {
            Kind::Regular => "regular",
            Kind::Newcomer => "newcomer",
        };
        (!of_kind.is_empty()).then(|| Self {
            kind: name.to_owned(),
            clients: of_kind.len() as u64,
            before: bearing(0),
            during: bearing(1),
            after: bearing(2),
        })
    }
}

impl Bearing {
    fn new(felt: &Felt) -> Self {
        Self {
            due: felt.due(),
            answered: felt.answered.len(),
            errors: felt.errors,
            unsent: felt.unsent,
            p50_ns: felt.quantile(0.5),
            p99_ns: felt.quantile(0.99),
            max_ns: (!felt.answered.is_empty()).then(|| felt.answered.max()),
        }
    }
}
