//! From what was found to the record of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::{Comparison, Connections, Latency, Pace, Percentile, Replies, Summary};
use crate::engine::Found;
use crate::plan::{Expect, Load, Plan, Work};
use crate::recorder::{Counts, Times};
use crate::statistics::{Slices, effective_size, quantile_with_interval};
use crate::verdict;

/// The version of the record's layout.
const SCHEMA: u32 = 2;

/// The percentiles of a summary, in percent.
pub(super) const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// Puts what was found into the record.
#[must_use]
pub fn summarise(plan: &Plan, found: &Found) -> Summary {
    let counts = &found.recorder.counts;
    let seconds = found.elapsed_ns as f64 / 1e9;
    let rate = found.answers as f64 / seconds;
    let pace = pace(plan, found);
    let slices = Some(&found.slices);
    let requests = &counts.requests;
    let unanswered = requests.failed + requests.lost + requests.unsent;
    Summary {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: plan.command.clone(),
        target: plan.target.given.clone(),
        connections: connections(plan, found),
        requests: counts.requests,
        errors: counts.errors,
        replies: replies(plan, counts),
        errors_before: found.before.errors,
        elapsed_ns: found.elapsed_ns,
        rate: if rate.is_finite() { rate } else { 0.0 },
        octets_sent: counts.octets_sent,
        octets_received: counts.octets_received,
        latency: latency(&found.recorder.latency, unanswered, slices),
        connect: latency(&found.recorder.connect, 0, None),
        calls: counts.calls,
        service: plan
            .load
            .has_planned_times()
            .then(|| latency(&found.recorder.service, unanswered, slices)),
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
        lag: latency(&found.recorder.lag, 0, None),
        queue: latency(&found.recorder.queue, 0, None),
        queue_longest: found.queue_longest,
    })
}

fn replies(plan: &Plan, counts: &Counts) -> Replies {
    let compared_with = match &plan.work {
        Work::Echo(_) => Comparison::Message,
        Work::Fixed(..) => Comparison::Text,
        Work::Http(request) => match request.expect {
            Expect::Anything => Comparison::Nothing,
            Expect::Octets(_) => Comparison::File,
            Expect::OwnId(_) => Comparison::Id,
        },
    };
    let wrong = counts.errors.mismatch + counts.errors.mispaired;
    Replies { compared_with, exact: counts.requests.answered, wrong }
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

/// A distribution. `unanswered` requests count as longer than all others. `slices` tell how far
/// times that follow each other share their fate; without them they are taken as independent.
fn latency(times: &Times, unanswered: u64, slices: Option<&Slices>) -> Latency {
    let histogram = times.histogram();
    let all = histogram.len() + unanswered;
    let percentile = |percent: f64| {
        let quantile = percent / 100.0;
        let effective = slices.map_or(all as f64, |slices| effective_size(slices, quantile, all));
        let found = quantile_with_interval(histogram, unanswered, quantile, effective).ok()?;
        Some(Percentile { percent, value_ns: found.value, low_ns: found.low, high_ns: found.high })
    };
    Latency {
        count: histogram.len(),
        min_ns: histogram.min(),
        max_ns: histogram.max(),
        mean_ns: histogram.mean(),
        stdev_ns: histogram.stdev(),
        percentiles: PERCENTILES.into_iter().filter_map(percentile).collect(),
        histogram: encode(histogram),
    }
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
    fn requests_without_an_answer_are_the_slowest() {
        let mut times = Times::default();
        (1..=9_500).for_each(|nanos| times.record(nanos));
        let latency = latency(&times, 500, None);
        let at = |percent| {
            let found = latency.percentiles.iter().find(|found| found.percent == percent);
            found.expect("the sample supports it").value_ns
        };
        assert_eq!((at(50.0), at(99.0)), (Some(5_003), None));
    }

    #[test]
    fn the_histogram_can_be_read_again() {
        let mut times = Times::default();
        (1..5000).for_each(|nanos| times.record(nanos * 1000));
        let latency = latency(&times, 0, None);
        let octets = STANDARD.decode(&latency.histogram).expect("base64");
        let again: Histogram<u64> =
            Deserializer::new().deserialize(&mut octets.as_slice()).expect("a histogram");
        assert_eq!(&again, times.histogram());
        assert_eq!(latency.percentiles.last().expect("a percentile").percent, 99.9);
    }

    #[test]
    fn nothing_recorded_gives_nothing() {
        let latency = latency(&Times::default(), 0, None);
        assert_eq!((latency.count, latency.max_ns, latency.percentiles.len()), (0, 0, 0));
    }
}
