//! `plot`: draws the charts of a run again.

use anyhow::Result;

use super::print;
use crate::cli::Folder;
use crate::kept;

/// Runs the sub-command.
///
/// # Errors
/// A usage error when the folder holds no run, or one whose charts can't be drawn again.
pub fn run(folder: &Folder) -> Result<()> {
    for figure in kept::read(&folder.run)?.draw()? {
        print(&format!("{}\n  {}\n", figure.path.display(), figure.finding))?;
    }
    Ok(())
}
