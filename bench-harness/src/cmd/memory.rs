//! `memory`: what an idle connection, or a thread, costs in memory.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::Places;
use crate::fault::usage;

/// `memory`
#[derive(Debug, Args)]
pub struct Memory {
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// Does it.
///
/// # Errors
/// Always, for now.
pub fn run(_options: &Memory, _places: &Places) -> Result<()> {
    usage("not built yet".to_owned())
}
