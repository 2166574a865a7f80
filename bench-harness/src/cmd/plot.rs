//! `plot`: draws the charts of a run again.

use anyhow::Result;

use super::print;
use crate::cli::Folder;
use crate::plot;
use crate::results::Run;

/// Runs the sub-command.
///
/// # Errors
/// A usage error when the folder holds no run.
pub fn run(folder: &Folder) -> Result<()> {
    for figure in plot::draw_all(&Run::read(&folder.run)?)? {
        print(&format!("{}\n  {}\n", figure.path.display(), figure.finding))?;
    }
    Ok(())
}
