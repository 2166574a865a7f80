//! `waiting`: what a wait costs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cli::Places;
use crate::fault::usage;

/// `waiting`
#[derive(Debug, Args)]
pub struct Waiting {
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// Does it.
///
/// # Errors
/// Always, for now.
pub fn run(_options: &Waiting, _places: &Places) -> Result<()> {
    usage("not built yet".to_owned())
}
