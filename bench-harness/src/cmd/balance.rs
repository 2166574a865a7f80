//! `balance`

use anyhow::Result;
use clap::Args;

use crate::cli::Places;

/// `balance`
#[derive(Debug, Args)]
pub struct Balance {}

/// Measures, draws, and writes the report.
///
/// # Errors
/// What failed.
pub fn run(options: &Balance, places: &Places) -> Result<()> {
    let _ = (options, places);
    Ok(())
}
