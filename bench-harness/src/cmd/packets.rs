//! `packets`

use anyhow::Result;
use clap::Args;

use crate::cli::Places;

/// `packets`
#[derive(Debug, Args)]
pub struct Packets {}

/// Measures, draws, and writes the report.
///
/// # Errors
/// What failed.
pub fn run(options: &Packets, places: &Places) -> Result<()> {
    let _ = (options, places);
    Ok(())
}
