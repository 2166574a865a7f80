//! `report`: writes the report of a run again, and its answer into another page.

use std::fs;

use anyhow::{Context, Result};

use super::print;
use crate::cli::Report;
use crate::folder::{file, write};
use crate::kept;
use crate::report::page::answer;
use crate::report::splice;

/// Runs the sub-command.
///
/// # Errors
/// A usage error when the folder holds no run or one whose charts can't be drawn again, or the page
/// to splice into has no marks.
pub fn run(options: &Report) -> Result<()> {
    let run = kept::read(&options.run)?;
    let figures = kept::publish(&*run)?;
    print(&format!("{}\n", run.folder().path().join(file::REPORT).display()))?;
    let Some(page) = &options.splice else { return Ok(()) };
    let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let spliced = splice::splice(&text, &answer(&*run, &figures, page), page)?;
    write(page, spliced.as_bytes())?;
    print(&format!("{}\n", page.display()))
}
