//! Keys that move when a server goes or comes: those that must, and those that need not.

use super::Evidence;
use crate::balance::moved::Moved;
use crate::balance::row::Change;
use crate::plot::axis::Axis;
use crate::plot::bars::{Bar, Bars, Part};
use crate::plot::figure::{Body, Figure};
use crate::plot::scale::Scale;
use crate::plot::style::{SEND, USER};
use crate::report::number::three;

pub(super) fn build(evidence: &Evidence<'_>, change: Change) -> Option<Figure> {
    let findings = evidence.findings;
    let bars: Vec<_> = findings.moved_by(change).map(bar).collect();
    // One scale for both changes, so that the two figures can be laid beside each other.
    let longest = findings.moved.iter().map(|moved| 100.0 * (moved.must + moved.need_not));
    let axis = Axis::round("percent of all keys", Scale::from_zero(longest), three);
    let (name, keys, must) = words(change, findings.most);
    let parts = [(must, USER), ("need not move", SEND)];
    let parts = parts.map(|(name, colour)| Part { name, colour }).into();
    Some(Figure {
        name: name.into(),
        finding: findings.needless(change)?,
        subtitle: vec![keys, evidence.keys()],
        notes: Vec::new(),
        body: Body::Bars(Bars { axis, parts, bars }),
    })
}

/// The name of the figure, which keys it is about, and why some of them must move.
fn words(change: Change, servers: u32) -> (&'static str, String, &'static str) {
    match change {
        Change::Remove => (
            "moved",
            format!(
                "Keys that have another server when that one of {servers} goes whose going moves the most"
            ),
            "must move: they were its own",
        ),
        Change::Add => (
            "moved-to-new",
            format!("Keys that have another server when one more comes to {servers}"),
            "must move: the new one has them",
        ),
    }
}

fn bar(moved: &Moved) -> Bar {
    let [must, more] = [moved.must, moved.need_not].map(|share| 100.0 * share);
    let text = match more > 0.0 {
        true => format!("{} % and {} % more ({})", three(must), three(more), moved.node),
        false => format!("{} % ({})", three(must), moved.node),
    };
    Bar { label: moved.method.clone(), parts: vec![must, more], text, range: None, full: true }
}
