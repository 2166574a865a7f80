//! `list`: the experiments there are, or the trials of one.

use std::fmt::Write;

use anyhow::Result;

use super::print;
use crate::cli::{List, Places};
use crate::experiment::condition::Condition;
use crate::experiment::load::{self, Source};
use crate::experiment::matrix;
use crate::launch::process::Binaries;

/// Runs the sub-command.
///
/// # Errors
/// A usage error when a file is wrong or the experiment does not exist.
pub fn run(options: &List, places: &Places) -> Result<()> {
    match &options.experiment {
        None => experiments(places),
        Some(name) => trials(&load::find(&places.experiments, name)?, places),
    }
}

fn experiments(places: &Places) -> Result<()> {
    let paths = load::paths(&places.experiments)?;
    let sources = paths.iter().map(|path| Source::read(path)).collect::<Result<Vec<_>>>()?;
    let width = sources.iter().map(|source| source.name.len()).max().unwrap_or(0);
    sources.iter().try_for_each(|Source { name, experiment, .. }| {
        print(&format!("{name:width$}  {}\n", experiment.question.trim()))
    })
}

fn trials(source: &Source, places: &Places) -> Result<()> {
    let models = Binaries::find(places.bin_dir.as_deref())?.models()?;
    source.check_models(&models)?;
    let experiment = &source.experiment;
    let expansion = matrix::expand(experiment, &models, &Condition::default());
    let mut text =
        format!("{}\nExpected: {}\n\n", experiment.question.trim(), experiment.expectation.trim());
    for cell in &expansion.cells {
        writeln!(text, "{cell}")?;
    }
    for (cell, because) in &expansion.skipped {
        writeln!(text, "{cell}  left out: {because}")?;
    }
    let cells = expansion.cells.len();
    writeln!(
        text,
        "\n{cells} cells × {} = {} trials",
        experiment.repeat,
        cells * experiment.repeat.get() as usize
    )?;
    print(&text)
}
