//! From the rows of a run to figures.
//!
//! A figure is built first, as data with a title that says what was found, and drawn afterwards.
//! So a test can ask whether the title is right, and SVG and PNG come from one drawing function.

mod axis;
mod backends;
pub mod balance;
mod bars;
mod canvas;
mod churn;
mod circles;
mod cpu;
mod distribution;
mod figure;
mod finding;
mod groups;
mod idle;
mod implied_rate;
mod latency;
pub mod ledger;
mod legend;
pub mod limits;
mod lines;
mod memory;
mod notes;
pub mod packets;
mod pairs;
mod payload;
mod policies;
mod relays;
mod response_times;
mod scale;
mod spreads;
mod style;
mod throughput;
mod under_load;
pub mod waiting;
mod way;

use std::path::PathBuf;

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::experiment::{App, Chart};
use crate::launch::pinning::listed;
use crate::probe::date;
use crate::results::Run;
use crate::stats::cell::{Point, points};
use crate::stats::doubt::Doubts;
use crate::stats::latency::decode_all;
use figure::Figure;

/// A figure on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The SVG; a PNG of the same name lies beside it.
    pub path: PathBuf,
    /// What it says, in one sentence.
    pub finding: String,
}

/// What the figures of one app are made from.
struct Evidence<'a> {
    run: &'a Run,
    app: App,
    /// Of the only policy that is looked at, where the run has several.
    policy: Option<&'a str>,
    points: Vec<Point<'a>>,
    histograms: &'a [(usize, Histogram<u64>)],
    doubts: Doubts<'a>,
}

impl Evidence<'_> {
    /// The place of a model among all, which is what its colour comes from: the same in each
    /// figure.
    fn style_of(&self, model: &str) -> usize {
        self.run.manifest.models.iter().position(|name| name == model).unwrap_or(usize::MAX)
    }

    /// The conditions, for the line under a title.
    fn conditions(&self) -> String {
        let manifest = &self.run.manifest;
        let day = date::day_of(&manifest.started);
        let pinning = &manifest.pinning;
        let policy = self.policy.map_or_else(String::new, |policy| format!("policy {policy}; "));
        let behind = match self.app.is_proxy() {
            true => format!(", backends on CPU {}", listed(pinning.behind())),
            false => String::new(),
        };
        format!(
            "{policy}{}; server on CPU {}, load on CPU {}{behind}; {day}",
            manifest.host.line(),
            listed(&pinning.server),
            listed(&pinning.client)
        )
    }

    /// The name of a model, with a mark where the load generator doubts its numbers.
    fn label(&self, point: &Point<'_>) -> String {
        self.marked(point, point.model.to_owned())
    }

    fn marked(&self, point: &Point<'_>, name: String) -> String {
        if self.doubts.mark(point) { name + " ?" } else { name }
    }

    fn name(&self, figure: &str) -> String {
        let policy = self.policy.map_or_else(String::new, |policy| format!("-{policy}"));
        format!("{figure}-{}{policy}", self.app)
    }
}

/// Draws every figure that the experiment asks for and that the rows have the numbers for.
///
/// # Errors
/// When a file can't be written.
pub fn draw_all(run: &Run) -> Result<Vec<Drawn>> {
    style::register_fonts()?;
    let histograms = decode_all(&run.histograms);
    let folder = run.folder.plots()?;
    let figures = figures(run, &histograms);
    figures.iter().map(|figure| figure.write(&folder)).collect()
}

fn figures(run: &Run, histograms: &[(usize, Histogram<u64>)]) -> Vec<Figure> {
    let mut all = Vec::new();
    for chart in &run.source.experiment.charts {
        for app in App::ALL {
            let points = points(&run.rows, app, &run.manifest.models);
            for (policy, points) in views(*chart, points) {
                let doubts = Doubts::of(&run.rows);
                let evidence = Evidence { run, app, policy, points, histograms, doubts };
                all.extend(build(*chart, &evidence));
            }
        }
    }
    all
}

/// A chart that is not about policies has one of them at a time.
fn views<'a>(chart: Chart, points: Vec<Point<'a>>) -> Vec<(Option<&'a str>, Vec<Point<'a>>)> {
    let mut policies: Vec<_> = points.iter().map(|point| point.policy).collect();
    policies.sort_unstable();
    policies.dedup();
    if matches!(chart, Chart::Policies | Chart::Backends) || policies.len() < 2 {
        return vec![(None, points)];
    }
    let of = |policy| points.iter().filter(|point| point.policy == policy).cloned().collect();
    policies.iter().map(|policy| (*policy, of(*policy))).collect()
}

fn build(chart: Chart, evidence: &Evidence<'_>) -> Vec<Figure> {
    match chart {
        Chart::Throughput => throughput::build(evidence).into_iter().collect(),
        Chart::Latency => latency::build(evidence).into_iter().collect(),
        Chart::Distribution => distribution::build(evidence).into_iter().collect(),
        Chart::Cpu => cpu::build(evidence).into_iter().collect(),
        Chart::Memory => memory::build(evidence).into_iter().collect(),
        Chart::IdleCrowd => idle::build(evidence),
        Chart::Payload => payload::build(evidence).into_iter().collect(),
        Chart::Churn => churn::build(evidence).into_iter().collect(),
        Chart::LatencyUnderLoad => under_load::build(evidence),
        Chart::WhereTimeGoes => way::build(evidence),
        Chart::ResponseTimes => response_times::build(evidence).into_iter().collect(),
        Chart::ImpliedRate => implied_rate::build(evidence).into_iter().collect(),
        Chart::Policies => policies::build(evidence),
        Chart::Backends => backends::build(evidence).into_iter().collect(),
    }
}
