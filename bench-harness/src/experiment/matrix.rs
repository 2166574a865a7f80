//! From axes to cells.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use super::condition::Condition;
use super::model::{Model, Selection};
use super::{Cell, Experiment, Load, Matrix};

/// What there is to measure, and what is left out for a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// To be measured.
    pub cells: Vec<Cell>,
    /// Left out, with the reason from the file.
    pub skipped: Vec<(Cell, String)>,
}

/// All combinations of the axes that the filter lets through, less the skips.
#[must_use]
pub fn expand(experiment: &Experiment, offered: &[Model], filter: &Condition) -> Expansion {
    let mut expansion = Expansion::default();
    let mut cells = Vec::new();
    for matrix in std::iter::once(&experiment.matrix).chain(&experiment.also) {
        let more = combinations(matrix, &experiment.load, offered);
        let more = more.into_iter().filter(|cell| filter.holds(cell));
        cells.extend(more);
    }
    for cell in distinct(cells) {
        let skip = experiment.skip.iter().find(|skip| skip.condition.holds(&cell));
        match skip.map(|skip| skip.because.clone()).or_else(|| refusal(&cell, offered)) {
            Some(because) => expansion.skipped.push((cell, because)),
            None => expansion.cells.push(cell),
        }
    }
    expansion
}

/// Why this host does not have the model of a cell.
fn refusal(cell: &Cell, offered: &[Model]) -> Option<String> {
    offered.iter().find(|model| model.name == cell.model)?.refusal.clone()
}

/// The same cells in the same order, each of them once.
fn distinct(mut cells: Vec<Cell>) -> Vec<Cell> {
    let mut seen = BTreeSet::new();
    cells.retain(|cell| seen.insert(cell.clone()));
    cells
}

fn combinations(matrix: &Matrix, load: &Load, offered: &[Model]) -> Vec<Cell> {
    let (sizes, rates) = (or_none(&matrix.size), rates(matrix, load));
    let mut cells = Vec::new();
    for (&app, connections) in product(&matrix.app, &matrix.connections) {
        for (&idle, &size) in product(&matrix.idle, &sizes) {
            for (model, &rate) in product(&models(&matrix.model, offered), &rates) {
                let (model, connections) = ((*model).to_owned(), connections.get());
                let cell = Cell { model, app, policy: None, connections, idle, size, rate };
                cells.extend(by_policy(cell, &matrix.policy));
            }
        }
    }
    cells
}

/// The cell with each policy. What is no proxy has none, and a proxy without the axis keeps its
/// own.
fn by_policy(cell: Cell, policies: &[String]) -> Vec<Cell> {
    if policies.is_empty() || !cell.app.is_proxy() {
        return vec![cell];
    }
    policies.iter().map(|policy| Cell { policy: Some(policy.clone()), ..cell.clone() }).collect()
}

/// Without the axis there is one value: that of the load, or none.
fn rates(matrix: &Matrix, load: &Load) -> Vec<Option<u64>> {
    match load.rate {
        Some(rate) => vec![Some(rate.get())],
        None => or_none(&matrix.rate),
    }
}

/// Without an axis there is one value: none.
fn or_none(axis: &[NonZeroU64]) -> Vec<Option<u64>> {
    match axis {
        [] => vec![None],
        values => values.iter().map(|value| Some(value.get())).collect(),
    }
}

fn models<'a>(selection: &'a Selection, offered: &'a [Model]) -> Vec<&'a str> {
    let all = offered.iter().map(|model| &model.name).filter(|_| *selection == Selection::All);
    all.chain(selection.names()).map(String::as_str).collect()
}

fn product<'a, A, B>(left: &'a [A], right: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    left.iter().flat_map(move |l| right.iter().map(move |r| (l, r)))
}
