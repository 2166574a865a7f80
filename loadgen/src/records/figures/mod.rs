//! `loadgen figures`: from the log of every request, all figures of a run again.
//!
//! Nothing here knows the engine or what it recorded. So where both agree, either both are right or
//! two programs are wrong in the same way.

mod count;
mod csv;
mod text;

pub use count::{Connection, Distribution, Figures, Second, Tally};

use std::io::Write;
use std::path::PathBuf;

use crate::failure::Failure;

/// The command line of `loadgen figures`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Logs of requests; those of several agents are taken together
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For the eye.
    Text,
    /// An object with everything.
    Json,
    /// A line for each figure: `figure,of,value`.
    Csv,
}

/// Computes the figures of a run from its log, and prints them.
///
/// # Errors
/// If a log can't be read or is damaged.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut tally = Tally::default();
    for file in &arguments.files {
        tally.add_file(file)?;
    }
    let figures = tally.figures();
    let text = match arguments.format {
        Format::Text => text::text(&figures),
        Format::Json => format!("{:#}\n", serde_json::json!(figures)),
        Format::Csv => csv::csv(&figures),
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}
