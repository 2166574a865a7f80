//! What balance costs: the time of a look-up against the peak.

use super::Evidence;
use super::sizes::above;
use crate::balance::row::Cost;
use crate::plot::axis::Axis;
use crate::plot::figure::{Body, Figure};
use crate::plot::lines::{Dot, Lines, Mark, Series};
use crate::plot::scale::Scale;
use crate::report::number::three;

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let most = evidence.findings.most;
    let costs: Vec<_> = evidence.run.costs.iter().filter(|cost| cost.nodes == most).collect();
    let series: Vec<_> = costs.iter().filter_map(|cost| series(evidence, cost)).collect();
    let dots = || series.iter().flat_map(|series| &series.dots);
    let x = Scale::log_around(dots().map(|dot| dot.x));
    let y = Scale::log_around(dots().map(|dot| dot.y));
    let mut notes =
        vec!["Behind a name: the median of a look-up. Low and left is best.".to_owned()];
    if !evidence.run.manifest.disturbed.is_empty() {
        notes.push("Disturbed: other programs used CPUs; README.md says how many.".into());
    }
    Some(Figure {
        name: "price".into(),
        finding: finding(&costs)?,
        subtitle: vec![
            format!("Time of a look-up among {most} servers, and how uneven the load is"),
            evidence.conditions(),
        ],
        notes,
        body: Body::Lines(Lines {
            x: Axis::round("one look-up, ns", x, three),
            y: Axis::round("busiest server above the average, %", y, three),
            series,
        }),
    })
}

fn series(evidence: &Evidence<'_>, cost: &Cost) -> Option<Series> {
    let y = above(evidence.findings.true_spread(&cost.method, cost.nodes)?);
    let x = cost.lookup_median_ns;
    let dot = Dot { x, y, range: None, mark: Mark::Alone, at_least: false };
    let label = format!("{} {} ns", cost.method, three(x));
    let style = evidence.style_of(&cost.method);
    Some(Series { label, style, dots: vec![dot], shadow: Vec::new() })
}

fn finding(costs: &[&Cost]) -> Option<String> {
    let by = |one: &&&Cost, other: &&&Cost| one.lookup_median_ns.total_cmp(&other.lookup_median_ns);
    let (fast, slow) = (costs.iter().min_by(by)?, costs.iter().max_by(by)?);
    Some(format!(
        "A look-up among {} servers takes {} ns under {} and {} ns under {}",
        fast.nodes,
        three(fast.lookup_median_ns),
        fast.method,
        three(slow.lookup_median_ns),
        slow.method
    ))
}
