//! From what was found to the record of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::{Connections, Latency, Pace, Percentile, Summary};
use crate::engine::Found;
use crate::plan::{Load, Plan};
use crate::recorder::Times;
use crate::verdict;

/// The version of the record's layout.
const SCHEMA: u32 = 2;

/// The percentiles of a summary, in percent.
pub(super) const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// What lies beyond each end of a two-sided 95 % interval.
const TAIL: f64 = 0.025;

/// Puts what was found into the record.
#[must_use]
pub fn summarise(plan: &Plan, found: &Found) -> Summary {
    let counts = &found.recorder.counts;
    let seconds = found.elapsed_ns as f64 / 1e9;
    let rate = found.answers as f64 / seconds;
    let pace = pace(plan, found);
    Summary {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: plan.command.clone(),
        target: plan.target.given.clone(),
        connections: connections(plan, found),
        requests: counts.requests,
        errors: counts.errors,
        errors_before: found.before.errors,
        elapsed_ns: found.elapsed_ns,
        rate: if rate.is_finite() { rate } else { 0.0 },
        octets_sent: counts.octets_sent,
        octets_received: counts.octets_received,
        latency: latency(&found.recorder.latency),
        connect: latency(&found.recorder.connect),
        calls: counts.calls,
        service: pace.is_some().then(|| latency(&found.recorder.service)),
        pace,
        path: found.path.clone(),
        memory: found.memory,
        threads: found.threads.clone(),
        client: found.client,
        server: found.server,
        interrupted: found.interrupted,
        verdict: verdict::judge(plan, found),
    }
}

fn pace(plan: &Plan, found: &Found) -> Option<Pace> {
    let Load::Open(schedule) = &plan.load else { return None };
    Some(Pace {
        arrivals: schedule.pattern.to_string(),
        rate: schedule.rate,
        seed: schedule.seed,
        lag: latency(&found.recorder.lag),
        queue: latency(&found.recorder.queue),
        queue_longest: found.queue_longest,
    })
}

fn connections(plan: &Plan, found: &Found) -> Connections {
    Connections {
        asked: plan.connections as u64,
        established: found.established,
        served: found.tallies.iter().filter(|tally| tally.answered > 0).count() as u64,
        idle: found.idle,
        reconnects: found.recorder.counts.reconnects,
        abandoned: found.abandoned,
    }
}

fn latency(times: &Times) -> Latency {
    let histogram = times.histogram();
    let supported = PERCENTILES.iter().filter(|&&percent| supports(histogram.len(), percent));
    Latency {
        count: histogram.len(),
        min_ns: histogram.min(),
        max_ns: histogram.max(),
        mean_ns: histogram.mean(),
        stdev_ns: histogram.stdev(),
        percentiles: supported
            .map(|&percent| Percentile {
                percent,
                value_ns: Some(histogram.value_at_quantile(percent / 100.0)),
                ..Percentile::default()
            })
            .collect(),
        histogram: encode(histogram),
    }
}

/// Whether a sample has an upper 95 % confidence bound for that percentile at all: the largest of n
/// values must lie beyond the quantile in 97.5 % of all samples, so 1 - q^n >= 0.975. That takes
/// 368 for p99 and ten times as many for each further nine.
fn supports(count: u64, percent: f64) -> bool {
    let quantile = percent / 100.0;
    count > 0 && quantile.powf(count as f64) <= TAIL
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut octets = Vec::new();
    match V2DeflateSerializer::new().serialize(histogram, &mut octets) {
        Ok(_) => STANDARD.encode(octets),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;

    #[test]
    fn a_percentile_needs_a_sample_that_supports_it() {
        for (percent, least) in [(99.0, 368), (99.9, 3_688), (99.99, 36_888), (99.999, 368_887)] {
            assert!(supports(least, percent), "{percent}");
            assert!(!supports(least - 2, percent), "{percent}");
        }
        assert!(!supports(0, 50.0));
    }

    #[test]
    fn the_histogram_can_be_read_again() {
        let mut times = Times::default();
        (1..5000).for_each(|nanos| times.record(nanos * 1000));
        let latency = latency(&times);
        let octets = STANDARD.decode(&latency.histogram).expect("base64");
        let again: Histogram<u64> =
            Deserializer::new().deserialize(&mut octets.as_slice()).expect("a histogram");
        assert_eq!(&again, times.histogram());
        assert_eq!(latency.percentiles.last().expect("a percentile").percent, 99.9);
    }

    #[test]
    fn nothing_recorded_gives_nothing() {
        let latency = latency(&Times::default());
        assert_eq!((latency.count, latency.max_ns, latency.percentiles.len()), (0, 0, 0));
    }
}
