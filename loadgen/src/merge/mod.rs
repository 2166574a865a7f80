//! `loadgen merge`: the logs of several agents become one result.
//!
//! A sum of histograms is exactly the histogram of the union, so nothing is lost by having measured
//! in several places. What can go wrong is that the agents did not do the same thing at the same
//! time; so each is compared with the others, and one that deviates is named.
//!
//! ```text
//!   r0.hlog ─ AgentLog ─┐         ┌─ union ────▶ merged.hlog, merged.hgrm
//!   r1.hlog ─ AgentLog ─┼─ roster ┤
//!   r2.hlog ─ AgentLog ─┘         └─ deviation ─▶ who, and why
//! ```

mod agent_log;
mod deviation;
mod distance;
mod output;
mod roster;
mod text;
mod union;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use crate::failure::Failure;
use output::Merged;
use roster::{Absence, Roster};

/// The command line of `loadgen merge`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Interval logs, and folders that hold some (one level deep)
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub logs: Vec<PathBuf>,
    /// A folder for merged.hlog, merged.hgrm and merge.json
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on without the logs of some agents
    #[arg(long)]
    pub allow_partial: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For the eye.
    Text,
    /// As it stands in merge.json.
    Json,
}

/// Merges logs, prints the result and writes its files.
///
/// # Errors
/// [`Failure::Failed`] if logs can't be read or don't belong together, [`Failure::Unfit`] if some
/// are missing, [`Failure::Inconclusive`], after printing, if an agent deviates or a log is
/// damaged.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let absence = if arguments.allow_partial { Absence::Allowed } else { Absence::Refused };
    let roster = Roster::read(&arguments.logs, absence)?;
    let merged = Merged::of(&roster);
    if let Some(folder) = &arguments.out {
        output::write(folder, &roster, &merged)?;
    }
    let text = match arguments.format {
        Format::Text => text::text(&merged),
        Format::Json => output::json(&merged),
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))?;
    merged.conclusion()
}
