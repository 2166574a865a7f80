//! From axes to cells.

use std::num::NonZeroU64;

use super::condition::Condition;
use super::model::{Model, Selection};
use super::{App, Cell, Experiment, Matrix};

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
    let cells = combinations(&experiment.matrix, offered);
    for cell in cells.into_iter().filter(|cell| filter.holds(cell)) {
        match experiment.skip.iter().find(|skip| skip.condition.holds(&cell)) {
            Some(skip) => expansion.skipped.push((cell, skip.because.clone())),
            None => expansion.cells.push(cell),
        }
    }
    expansion
}

fn combinations(matrix: &Matrix, offered: &[Model]) -> Vec<Cell> {
    let sizes = sizes(matrix);
    let mut cells = Vec::new();
    for (app, &connections) in product(&matrix.app, &matrix.connections) {
        for (&idle, &size) in product(&matrix.idle, &sizes) {
            cells.extend(
                models(&matrix.model, offered)
                    .map(|model| cell(model, *app, connections, idle, size)),
            );
        }
    }
    cells
}

fn cell(model: &str, app: App, connections: NonZeroU64, idle: u64, size: Option<u64>) -> Cell {
    Cell { model: model.to_owned(), app, connections: connections.get(), idle, size }
}

/// Without an axis of sizes there is one value: none.
fn sizes(matrix: &Matrix) -> Vec<Option<u64>> {
    match matrix.size.as_slice() {
        [] => vec![None],
        sizes => sizes.iter().map(|size| Some(size.get())).collect(),
    }
}

fn models<'a>(selection: &'a Selection, offered: &'a [Model]) -> impl Iterator<Item = &'a str> {
    let all = offered.iter().map(|model| &model.name).filter(|_| *selection == Selection::All);
    all.chain(selection.names()).map(String::as_str)
}

fn product<'a, A, B>(left: &'a [A], right: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    left.iter().flat_map(move |l| right.iter().map(move |r| (l, r)))
}
