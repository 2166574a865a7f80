//! Mean response time over clients, in bars side by side, in the order of the study that the
//! experiment repeats, and with its figures as strokes.

use super::Evidence;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::groups::{Column as Bar, Group, Groups, Place};
use super::scale::Scale;
use super::style::look;
use crate::experiment::published::Published;
use crate::report::number::{grouped, three};
use crate::stats::study::{Came, Column, clients, columns};

pub(super) fn build(evidence: &Evidence<'_>) -> Option<Figure> {
    let published = evidence.run.source.experiment.published.as_ref()?;
    let mut all = columns(evidence.run, published);
    all.retain(|column| column.published.is_some());
    let tried = all.iter().any(|column| !column.points().is_empty());
    if evidence.points.is_empty() || !tried {
        return None;
    }
    let asked = clients(&all);
    let groups: Vec<_> = asked.iter().map(|clients| group(&all, *clients)).collect();
    let legend = all.iter().map(|c| (c.title(), look(evidence.style_of(c.model)).colour));
    Some(Figure {
        name: evidence.name("response-times"),
        finding: format!("{}: {}", evidence.app, finding(&all, &asked)),
        subtitle: vec![subtitle(published), evidence.conditions()],
        notes: notes(&all, &asked),
        body: Body::Groups(Groups {
            title: "number of concurrent connections".into(),
            y: Axis::round("response time (ms)", scale(&groups), tick),
            legend: legend.collect(),
            stroke: Some("as published".into()),
            groups,
        }),
    })
}

fn subtitle(published: &Published) -> String {
    let names: Vec<_> = published.series.iter().map(|series| series.name.as_str()).collect();
    format!("Server response times: {}, beside those of {}", names.join(" / "), published.study)
}

fn group(all: &[Column<'_>], clients: u64) -> Group {
    let bar = |column: &Column<'_>| Bar {
        place: place(column, clients),
        stroke: column.published.and_then(|series| series.at(clients)),
        range: None,
        full: true,
    };
    Group { label: grouped(clients as f64), columns: all.iter().map(bar).collect() }
}

fn place(column: &Column<'_>, clients: u64) -> Place {
    match column.came(clients) {
        Came::Passed { ms, .. } => Place::Bar(ms),
        Came::Failed { word, .. } => Place::Word(word.into()),
        Came::LeftOut(_) => Place::Word("not tried".into()),
        Came::Nothing => Place::Empty,
    }
}

/// The lowest bar has to stand out from the axis, too.
fn scale(groups: &[Group]) -> Scale {
    let values = groups.iter().flat_map(|group| &group.columns).flat_map(|bar| {
        let height = if let Place::Bar(ms) = bar.place { Some(ms) } else { None };
        height.map(|ms| [ms / 2.0, ms]).into_iter().flatten().chain(bar.stroke)
    });
    Scale::log_around(values.collect::<Vec<_>>().into_iter())
}

fn tick(ms: f64) -> String {
    if ms < 1.0 { three(ms) } else { grouped(ms) }
}

/// Where each of them ends.
fn finding(all: &[Column<'_>], asked: &[u64]) -> String {
    let most = |column: &Column<'_>| {
        let passed = |clients: &&u64| matches!(column.came(**clients), Came::Passed { .. });
        asked.iter().filter(passed).max().copied()
    };
    let words: Vec<_> = all
        .iter()
        .filter_map(|column| Some(format!("{} {}", column.model, grouped(most(column)? as f64))))
        .collect();
    match words.is_empty() {
        true => "no number of clients was served in full".into(),
        false => {
            format!("the most clients of which each had all its answers: {}", words.join(", "))
        }
    }
}

/// What the words in place of bars stand for: the first failure of each model.
fn notes(all: &[Column<'_>], asked: &[u64]) -> Vec<String> {
    let first = |column: &Column<'_>| {
        asked.iter().find_map(|clients| match column.came(*clients) {
            Came::Failed { why, .. } => {
                let clients = grouped(*clients as f64);
                Some(format!("{}, {clients} clients: {why}.", column.model))
            }
            _ => None,
        })
    };
    all.iter().filter_map(first).collect()
}
