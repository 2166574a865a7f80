//! Response times at a constant rate, here and as published: percentiles beside each other.

use hdrhistogram::Histogram;

use super::number::{grouped, milliseconds};
use super::table::markdown;
use crate::experiment::App;
use crate::experiment::published::{OpenLoop, Published};
use crate::results::Run;
use crate::stats::cell::{Point, points};
use crate::stats::latency::{decode_all, pooled};

/// The table; nothing where the study has no open loop.
pub(super) fn table(published: &Published, run: &Run) -> String {
    let Some(first) = published.latency.first() else { return String::new() };
    let mut lines = vec![head(first)];
    lines.extend(published.latency.iter().map(there));
    let histograms = decode_all(&run.histograms);
    for app in App::ALL {
        let points = points(&run.rows, app, &run.manifest.models);
        lines.extend(points.iter().map(|point| here(point, first, &histograms)));
    }
    format!("### Response times at a constant rate\n\n{}\n", markdown(&lines))
}

fn head(study: &OpenLoop) -> Vec<String> {
    let first = ["server", "asked for", "answered"].map(ToOwned::to_owned);
    let percents = study.percentiles_ms.iter().map(|(percent, _)| format!("p{percent}"));
    first.into_iter().chain(percents).collect()
}

fn there(study: &OpenLoop) -> Vec<String> {
    let name = format!("{}, as published", study.name);
    let first = [name, per_second(study.rate as f64), per_second(study.answered as f64)];
    let times = study.percentiles_ms.iter().map(|(_, ms)| milliseconds(*ms));
    first.into_iter().chain(times).collect()
}

/// What came out here, in the columns of a study.
fn here(point: &Point<'_>, study: &OpenLoop, all: &[(usize, Histogram<u64>)]) -> Vec<String> {
    let unknown = || "-".to_owned();
    let asked = point.rate_asked.map_or_else(unknown, |rate| per_second(rate as f64));
    let first = [point.name(), asked, point.rate().map_or_else(unknown, per_second)];
    let trials: Vec<_> = point.rows.iter().map(|row| row.trial).collect();
    let pooled = pooled(all, &trials);
    let time = |&(percent, _): &(f64, f64)| {
        let ns = pooled.as_ref().map(|all| all.value_at_quantile(percent / 100.0));
        ns.map_or_else(unknown, |ns| milliseconds(ns as f64 / 1e6))
    };
    first.into_iter().chain(study.percentiles_ms.iter().map(time)).collect()
}

fn per_second(rate: f64) -> String {
    format!("{}/s", grouped(rate))
}
