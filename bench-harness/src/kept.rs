//! A run of any kind in its folder: what was measured is measured once, and its charts and its page
//! are made from that, now or later.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::balance::analysis::Analysis as Balance;
use crate::fault::usage;
use crate::folder::{Folder, file};
use crate::limits::record::Survey;
use crate::packets::run::Run as Packets;
use crate::plot::Drawn;
use crate::probe::host::Host;
use crate::results::{self, Run};
use crate::waiting::analysis::Analysis as Waiting;
use crate::{balance, ledger, limits, packets, waiting};

/// A run that is on disk.
pub trait Kept {
    /// Its folder.
    fn folder(&self) -> &Folder;

    /// Where it was made.
    fn host(&self) -> &Host;

    /// Draws its charts.
    ///
    /// # Errors
    /// When a file can't be written.
    fn draw(&self) -> Result<Vec<Drawn>>;

    /// Its page, with figures by relative paths.
    fn page(&self, figures: &[Drawn]) -> String;
}

/// What all manifests have.
#[derive(Deserialize)]
struct Named {
    experiment: String,
}

/// Reads the run in a folder.
///
/// # Errors
/// A usage error when there is none, or one whose tables do not hold all that its charts show;
/// otherwise what is wrong with which file.
pub fn read(path: &Path) -> Result<Box<dyn Kept>> {
    let folder = Folder::open(path)?;
    if path.join(results::file::EXPERIMENT).exists() {
        return Ok(Box::new(Run::read(path)?));
    }
    let Named { experiment } = folder.manifest()?;
    match experiment.as_str() {
        balance::measure::NAME => Ok(Box::new(Balance::read(folder)?)),
        limits::record::name::SURVEYS => Ok(Box::new(Survey::read(folder)?)),
        packets::run::NAME => Ok(Box::new(Packets::read(folder)?)),
        waiting::measure::NAME => Ok(Box::new(Waiting::read(folder)?)),
        ledger::record::NAME => usage(format!(
            "{}: the charts of `{experiment}` are drawn when it is measured; its tables have less \
             than they show",
            path.display()
        )),
        _ => Ok(Box::new(Run::read(path)?)),
    }
}

/// Draws the charts of a run and writes its page; returns the charts.
///
/// # Errors
/// When a file can't be written.
pub fn publish(run: &dyn Kept) -> Result<Vec<Drawn>> {
    let figures = run.draw()?;
    run.folder().keep(file::REPORT, run.page(&figures).as_bytes())?;
    Ok(figures)
}
