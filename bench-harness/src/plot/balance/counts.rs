//! How many keys each node got: a bar here, one as published, and a stroke for what is exact.

use super::Evidence;
use crate::balance::published;
use crate::balance::row::cell;
use crate::plot::axis::Axis;
use crate::plot::figure::{Body, Figure};
use crate::plot::groups::{Column, Group, Groups, Place};
use crate::plot::scale::Scale;
use crate::plot::style::{SYSTEM, USER};
use crate::report::number::grouped;

pub(super) fn build(evidence: &Evidence<'_>, method: &str) -> Option<Figure> {
    let counted = |nodes| {
        let cell = cell(&evidence.run.shares, method, nodes);
        cell.into_iter().map(|share| (share.count, share.expected)).collect()
    };
    let groups = groups(evidence, method, counted);
    let notes = has_published(&groups).then(|| evidence.source()).into_iter().collect();
    Some(Figure {
        name: format!("counts-{method}"),
        finding: finding(evidence, method)?,
        subtitle: vec![format!(
            "Keys that each server got, among {} servers; {}",
            among(evidence),
            evidence.keys()
        )],
        notes,
        body: body(groups, "counted here", "keys"),
    })
}

/// The groups as bars: what the first bar of each is, and what is counted.
pub(super) fn body(groups: Vec<Group>, first: &str, unit: &str) -> Body {
    let bars = || groups.iter().flat_map(|group| &group.columns);
    let exact = bars().any(|column| column.stroke.is_some());
    let high = bars().filter_map(|column| match column.place {
        Place::Bar(value) => Some(value),
        Place::Word(_) | Place::Empty => None,
    });
    let y = Axis::round(unit, Scale::from_zero(high), grouped);
    let mut legend = vec![(first.to_owned(), USER)];
    legend.extend(has_published(&groups).then(|| ("as published".to_owned(), SYSTEM)));
    Body::Groups(Groups {
        title: "server / number of servers".into(),
        y,
        legend,
        stroke: exact.then(|| "exact: every id once".into()),
        groups,
    })
}

/// Whether any second bar is there.
pub(super) fn has_published(groups: &[Group]) -> bool {
    groups.iter().filter_map(|group| group.columns.get(1)).any(|bar| bar.place != Place::Empty)
}

/// `2, 3, 4, 5 and 6`.
pub(super) fn among(evidence: &Evidence<'_>) -> String {
    let mut sizes: Vec<_> = evidence.sizes().map(|size| size.to_string()).collect();
    let last = sizes.pop().unwrap_or_default();
    if sizes.is_empty() { last } else { format!("{} and {last}", sizes.join(", ")) }
}

fn finding(evidence: &Evidence<'_>, method: &str) -> Option<String> {
    if let Some(words) = evidence.findings.ring(method) {
        return Some(words);
    }
    let (most, findings) = (evidence.findings.most, evidence.findings);
    let peak = findings.true_spread(method, most)?.peak_to_average;
    Some(format!("{method}: the busiest of {most} servers has {peak:.3} times the average load"))
}

/// A group a server, and an empty one between two numbers of servers. `counted` says what the
/// servers got among so many, and what is exact.
pub(super) fn groups(
    evidence: &Evidence<'_>,
    method: &str,
    counted: impl Fn(u32) -> Vec<(u64, Option<f64>)>,
) -> Vec<Group> {
    let mut all: Vec<Group> = Vec::new();
    for nodes in evidence.sizes() {
        let (counts, published) = (counted(nodes), published::counts(method, nodes));
        if !all.is_empty() && !counts.is_empty() {
            all.push(Group { label: String::new(), columns: Vec::new() });
        }
        let number = |(n, counted)| group((n, nodes), counted, published.get(n));
        all.extend(counts.into_iter().enumerate().map(number));
    }
    all
}

fn group(
    (n, nodes): (usize, u32),
    (count, exact): (u64, Option<f64>),
    published: Option<&u64>,
) -> Group {
    let bar = |count: &u64| Place::Bar(*count as f64);
    let columns = vec![
        Column { place: bar(&count), stroke: exact, range: None, full: true },
        Column {
            place: published.map_or(Place::Empty, bar),
            stroke: published.and(exact),
            range: None,
            full: true,
        },
    ];
    Group { label: format!("{}/{nodes}", n + 1), columns }
}
