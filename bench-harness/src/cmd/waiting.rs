//! `waiting`: what a wait costs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::print;
use crate::cli::Places;
use crate::fault::Unfit;
use crate::folder::file;
use crate::launch::process::Binaries;
use crate::offer::Offer;
use crate::waiting::analysis::Analysis;
use crate::waiting::grid::Grid;
use crate::waiting::measure::{FIT, Run, WAITS};
use crate::{interrupt, kept};

/// Idle connections, unless somebody says how many.
const IDLE_MAX: usize = 100_000;
/// The same in a try.
const IDLE_MAX_QUICK: usize = 1_000;

/// `waiting`
#[derive(Debug, Args)]
pub struct Waiting {
    /// Only these pollers [default: all that `servers time-waits --list` shows]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub pollers: Vec<String>,
    /// The most idle connections [default: 100000, or 1000 with --quick]
    #[arg(long, value_name = "N")]
    pub idle_max: Option<usize>,
    /// A try: few conditions, three short passes. Its numbers are not worth keeping
    #[arg(long)]
    pub quick: bool,
    /// Seed of the orders and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// Measures, fits, draws, and writes the report.
///
/// # Errors
/// A usage error before anything is started; [`Unfit`] when nothing could be fitted; otherwise what
/// failed. What was measured before that is kept.
pub fn run(options: &Waiting, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let pollers = Offer::of(&binaries, "time-waits", "poller")?.chosen(&options.pollers)?;
    let grid = match options.quick {
        true => Grid::quick(options.idle_max.unwrap_or(IDLE_MAX_QUICK)),
        false => Grid::full(options.idle_max.unwrap_or(IDLE_MAX)),
    };
    interrupt::listen()?;
    let mut run = Run::create(&options.out, &binaries, pollers, &grid, options.seed)?;
    run.measure(&binaries, &grid)?;
    publish(&Analysis::of(run))
}

fn publish(analysis: &Analysis) -> Result<()> {
    analysis.keep()?;
    let figures = kept::publish(analysis)?;
    let mut text = String::new();
    for figure in &figures {
        text += &format!("{}\n", figure.finding);
    }
    let path = analysis.run.folder.path().display();
    text += &format!(
        "\ncsv     {path}/{WAITS}\nfit     {path}/{FIT}\nreport  {path}/{}\n",
        file::REPORT
    );
    print(&text)?;
    match analysis.findings.fits.is_empty() {
        true => Err(Unfit("nothing could be fitted; README.md says what is missing".into()).into()),
        false => Ok(()),
    }
}
