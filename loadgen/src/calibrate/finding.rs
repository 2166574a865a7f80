//! What the cases found, and what follows from all of them together.

use std::time::Duration;

use serde::Serialize;

use super::case::Extent;
use super::comparison::Row;
use super::host::Host;
use super::lateness::Lateness;
use crate::recorder::Times;
use crate::report::Summary;
use crate::verdict::Verdict;

/// The version of the record's layout.
const SCHEMA: u32 = 1;

/// A server that is later than this in one case of a hundred is no ruler: it alone uses up what is
/// allowed for the whole way of the shortest answers, 1 % of 5 ms.
const TOO_LATE_NS: u64 = 50_000;

/// What a case found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) case: String,
    /// The server: `loadgen calibrate --serve` starts the same one by hand.
    pub(crate) server: String,
    /// The run: the same can be started by hand.
    pub(crate) command: Vec<String>,
    /// Requests that were answered.
    pub(crate) answered: u64,
    /// How late requests left: the median.
    pub(crate) lag_p50_ns: u64,
    /// How late requests left: one in a hundred was later.
    pub(crate) lag_p99_ns: u64,
    /// How late the server was with its replies.
    pub(crate) server_late: Lateness,
    /// What the run says about itself.
    pub(crate) verdict: Verdict,
    pub(crate) rows: Vec<Row>,
    /// Why the figures don't count, if they don't.
    pub(crate) complaints: Vec<String>,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Calibration {
    pub(crate) schema: u32,
    /// The version of the load generator.
    pub(crate) version: &'static str,
    pub(crate) host: Host,
    pub(crate) extent: Extent,
    /// How long before a planned send the load generator spun.
    pub(crate) spin_ns: u64,
    pub(crate) findings: Vec<Finding>,
    /// What the load generator and the kernel add to a latency: the median over all figures of
    /// what was found less the exact answer, in microseconds.
    pub(crate) bias_us: f64,
    /// Whether every figure is as close as it has to be, and counts.
    pub(crate) holds: bool,
}

/// Whether requests may have to wait for a connection: they are meant to where there is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// None may.
    Never,
    /// They are meant to.
    Meant,
}

impl Finding {
    pub(crate) fn holds(&self) -> bool {
        self.complaints.is_empty() && self.rows.iter().all(|row| row.holds)
    }
}

/// Why the figures of a run don't count: they would be about something else than what was worked
/// out.
pub(crate) fn complaints(
    planned: Option<u64>,
    waiting: Waiting,
    late: Lateness,
    summary: &Summary,
) -> Vec<String> {
    let (answered, requests) = (summary.latency.count, &summary.requests);
    let queued = summary.pace.as_ref().map_or(0, |pace| pace.queue.count);
    let mut complaints = Vec::new();
    if let Some(planned) = planned.filter(|&planned| planned != answered) {
        complaints.push(format!("{answered} answers to {planned} planned requests"));
    }
    if requests.failed + requests.unsent > 0 {
        complaints.push(format!("{} failed, {} not sent", requests.failed, requests.unsent));
    }
    if waiting == Waiting::Never && queued > 0 {
        complaints.push(format!("{queued} requests waited for a connection"));
    }
    if late.p99_ns > TOO_LATE_NS {
        let late = late.p99_ns / 1000;
        complaints.push(format!("the server was kept from its CPU: p99 of its lateness {late} µs"));
    }
    complaints
}

/// The median and the 99th percentile.
pub(crate) fn lag(times: &Times) -> (u64, u64) {
    let at = |quantile| times.histogram().value_at_quantile(quantile);
    (at(0.5), at(0.99))
}

impl Calibration {
    pub(crate) fn new(host: Host, extent: Extent, spin: Duration, findings: Vec<Finding>) -> Self {
        let biases = findings.iter().flat_map(|finding| &finding.rows).map(|row| row.bias_ns);
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            host,
            extent,
            spin_ns: super::discipline::nanos(spin),
            bias_us: median(biases.collect()) / 1e3,
            holds: findings.iter().all(Finding::holds),
            findings,
        }
    }
}

/// The middle one, or the mean of the two in the middle; 0 if there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => 0.0,
        (half, 0) => f64::midpoint(values[half - 1], values[half]),
        (half, _) => values[half],
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::calibrate::comparison::{Expectation, Reference, Statistic};
    use crate::calibrate::host::Placement;
    use crate::report::{Latency, Pace, Requests};

    const IN_TIME: Lateness = Lateness { p50_ns: 400, p99_ns: 2_000, max_ns: 30_000_000 };

    /// A calibration of one case, whose p50, p90 and p99 are off by so much.
    pub(crate) fn off_by(off_ns: [f64; 3], complaints: Vec<String>) -> Calibration {
        let row = |(quantile, off): (f64, f64)| {
            let statistic = Statistic::Quantile(quantile);
            let (analytic_ns, reference) = (4e6, Reference::Analytic);
            let expectation =
                Expectation { statistic, analytic_ns, exact_ns: analytic_ns, reference };
            expectation.against(analytic_ns + off)
        };
        let finding = Finding {
            case: "M/D/1 at 0.6".to_owned(),
            server: "queue:4ms".to_owned(),
            command: vec!["loadgen".to_owned(), "--rate=150".to_owned()],
            answered: 1800,
            lag_p50_ns: 9_000,
            lag_p99_ns: 30_000,
            server_late: IN_TIME,
            verdict: Verdict::default(),
            rows: [0.5, 0.9, 0.99].into_iter().zip(off_ns).map(row).collect(),
            complaints,
        };
        let host = Host::new(Placement::Apart { generator: 0, server: 1 });
        Calibration::new(host, Extent::Full, Duration::ZERO, vec![finding])
    }

    #[test]
    fn one_figure_that_is_off_spoils_all() {
        assert!(off_by([20e3, 25e3, 30e3], Vec::new()).holds);
        assert!(!off_by([20e3, 25e3, 300e3], Vec::new()).holds);
        assert!(!off_by([20e3, 25e3, 30e3], vec!["1 answer to 2 requests".to_owned()]).holds);
    }

    #[test]
    fn the_bias_is_the_median_distance_from_the_exact_answer() {
        assert_eq!(off_by([20e3, -25e3, 300e3], Vec::new()).bias_us, 20.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }

    fn summary(answered: u64, failed: u64, queued: u64) -> Summary {
        let latency = |count| Latency { count, ..Latency::default() };
        Summary {
            latency: latency(answered),
            requests: Requests { failed, ..Requests::default() },
            pace: Some(Pace { queue: latency(queued), ..Pace::default() }),
            ..Summary::default()
        }
    }

    #[test]
    fn a_run_that_was_not_as_planned_does_not_count() {
        let found = |waiting, summary| complaints(Some(100), waiting, IN_TIME, &summary).join(", ");
        assert_eq!(found(Waiting::Never, summary(100, 0, 0)), "");
        assert_eq!(found(Waiting::Never, summary(99, 0, 0)), "99 answers to 100 planned requests");
        assert_eq!(found(Waiting::Never, summary(100, 1, 0)), "1 failed, 0 not sent");
        assert_eq!(found(Waiting::Never, summary(100, 0, 3)), "3 requests waited for a connection");
        assert_eq!(found(Waiting::Meant, summary(100, 0, 3)), "");
        assert!(complaints(None, Waiting::Never, IN_TIME, &summary(7, 0, 0)).is_empty());
    }

    #[test]
    fn a_server_that_was_late_is_no_ruler() {
        let late = Lateness { p99_ns: 51_000, ..IN_TIME };
        let found = complaints(Some(1), Waiting::Never, late, &summary(1, 0, 0));
        assert!(found.len() == 1 && found[0].ends_with("51 µs"), "{found:?}");
    }
}
