//! How many keys each node got: a bar here, one as published, and a stroke for what is exact.

use super::Evidence;
use crate::balance::published;
use crate::balance::row::{Share, cell};
use crate::plot::figure::{Body, Figure};
use crate::plot::groups::{Column, Group, Groups, Place};
use crate::plot::lines::Axis;
use crate::plot::scale::Scale;
use crate::plot::style::{SYSTEM, USER};
use crate::report::number::grouped;

pub(super) fn build(evidence: &Evidence<'_>, method: &str) -> Option<Figure> {
    let groups = groups(evidence, method);
    let bars = || groups.iter().flat_map(|group| &group.columns);
    let (there, exact) = (
        bars().filter(|column| column.place != Place::Empty).count() > rows(evidence, method),
        bars().any(|column| column.stroke.is_some()),
    );
    let high = bars().filter_map(|column| match column.place {
        Place::Bar(value) => Some(value),
        Place::Word(_) | Place::Empty => None,
    });
    let y = Axis::round("keys", Scale::from_zero(high), grouped);
    let mut legend = vec![("counted here".to_owned(), USER)];
    legend.extend(there.then(|| ("as published".to_owned(), SYSTEM)));
    Some(Figure {
        name: format!("counts-{method}"),
        finding: finding(evidence, method)?,
        subtitle: vec![format!(
            "Keys that each server got, among {} servers; {}",
            among(evidence),
            evidence.keys()
        )],
        notes: there.then(|| evidence.source()).into_iter().collect(),
        body: Body::Groups(Groups {
            title: "server / number of servers".into(),
            y,
            legend,
            stroke: exact.then(|| "exact: every id once".into()),
            groups,
        }),
    })
}

fn rows(evidence: &Evidence<'_>, method: &str) -> usize {
    evidence.run.shares.iter().filter(|share| share.method == method).count()
}

/// `2, 3, 4, 5 and 6`.
fn among(evidence: &Evidence<'_>) -> String {
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

/// A group a server, and an empty one between two numbers of servers.
fn groups(evidence: &Evidence<'_>, method: &str) -> Vec<Group> {
    let mut all: Vec<Group> = Vec::new();
    for nodes in evidence.sizes() {
        let shares = cell(&evidence.run.shares, method, nodes);
        let published = published::counts(method, nodes);
        if !all.is_empty() && !shares.is_empty() {
            all.push(Group { label: String::new(), columns: Vec::new() });
        }
        let number = |(n, share): (usize, &&Share)| group(n, share, published.get(n));
        all.extend(shares.iter().enumerate().map(number));
    }
    all
}

fn group(n: usize, share: &Share, published: Option<&u64>) -> Group {
    let bar = |count: &u64| Place::Bar(*count as f64);
    let place = published.map_or(Place::Empty, bar);
    let columns = vec![
        Column { place: bar(&share.count), stroke: share.expected },
        Column { place, stroke: published.and(share.expected) },
    ];
    Group { label: format!("{}/{}", n + 1, share.nodes), columns }
}
