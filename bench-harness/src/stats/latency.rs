//! Latencies of several trials as one distribution.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use rayon::prelude::*;

use crate::results;

/// Reads an HdrHistogram V2, with deflate or without, from base64.
///
/// # Errors
/// When the text is no such histogram.
pub fn decode(text: &str) -> Result<Histogram<u64>> {
    let octets = BASE64_STANDARD.decode(text.trim()).context("a histogram that is no base64")?;
    Deserializer::new()
        .deserialize(&mut octets.as_slice())
        .context("a histogram that is no HdrHistogram")
}

/// Decodes all of them on all CPUs: the run is over, so nobody is disturbed. One that can't be
/// read is left out; the row of its trial has the percentiles.
#[must_use]
pub fn decode_all(records: &[results::Histogram]) -> Vec<(usize, Histogram<u64>)> {
    let read = |record: &results::Histogram| Some((record.trial, decode(&record.latency_ns).ok()?));
    records.par_iter().filter_map(read).collect()
}

/// The time that this share of the requests stay within, in microseconds.
#[must_use]
pub fn microseconds(histogram: &Histogram<u64>, share: f64) -> f64 {
    histogram.value_at_quantile(share) as f64 / 1e3
}

/// Adds up the histograms of these trials; percentiles can't be averaged, counts can be added.
#[must_use]
pub fn pooled(all: &[(usize, Histogram<u64>)], trials: &[usize]) -> Option<Histogram<u64>> {
    let mut chosen = all.iter().filter(|(trial, _)| trials.contains(trial));
    let mut sum = chosen.next()?.1.clone();
    sum.auto(true);
    chosen.try_for_each(|(_, histogram)| sum.add(histogram)).ok()?;
    (!sum.is_empty()).then_some(sum)
}
