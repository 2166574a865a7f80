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
    for path in load::paths(&places.experiments)? {
        let source = Source::read(&path)?;
        print(&format!("{:<18} {}\n", source.name, source.experiment.question.trim()))?;
    }
    Ok(())
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
