//! Keys that move when a node goes: those that must, and those that need not.

use super::Evidence;
use crate::balance::findings::Moved;
use crate::plot::bars::{Bar, Bars, Part};
use crate::plot::figure::{Body, Figure};
use crate::plot::lines::Axis;
use crate::plot::scale::Scale;
use crate::plot::style::{SEND, USER};
use crate::report::number::three;

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let findings = evidence.findings;
    let bars: Vec<_> = findings.moved.iter().map(bar).collect();
    let longest = bars.iter().map(|bar| bar.parts.iter().sum::<f64>());
    let axis = Axis::round("percent of all keys", Scale::from_zero(longest), three);
    let parts = [("must move: they were its own", USER), ("need not move", SEND)];
    let parts = parts.map(|(name, colour)| Part { name, colour }).into();
    Some(Figure {
        name: "moved".into(),
        finding: findings.needless()?,
        subtitle: vec![
            format!(
                "Keys that have another server when that one of {} goes whose going moves the most",
                findings.most
            ),
            evidence.keys(),
        ],
        notes: Vec::new(),
        body: Body::Bars(Bars { axis, parts, bars }),
    })
}

fn bar(moved: &Moved) -> Bar {
    let [must, more] = [moved.must, moved.need_not].map(|share| 100.0 * share);
    let text = match more > 0.0 {
        true => format!("{} % and {} % more ({})", three(must), three(more), moved.node),
        false => format!("{} % ({})", three(must), moved.node),
    };
    Bar { label: moved.method.clone(), parts: vec![must, more], text, range: None, full: true }
}
