//! `report`: writes the report of a run again, and its answer into another page.

use std::fs;

use anyhow::{Context, Result};

use super::print;
use crate::cli::Report;
use crate::plot;
use crate::report::{markdown, splice};
use crate::results::{Run, file, write};

/// Runs the sub-command.
///
/// # Errors
/// A usage error when the folder holds no run, or the page to splice into has no marks.
pub fn run(options: &Report) -> Result<()> {
    let run = Run::read(&options.run)?;
    let figures = plot::draw_all(&run)?;
    let path = run.path.join(file::REPORT);
    write(&path, markdown::page(&run, &figures).as_bytes())?;
    print(&format!("{}\n", path.display()))?;
    let Some(page) = &options.splice else { return Ok(()) };
    let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let spliced = splice::splice(&text, &markdown::answer(&run, &figures, page), page)?;
    write(page, spliced.as_bytes())?;
    print(&format!("{}\n", page.display()))
}
