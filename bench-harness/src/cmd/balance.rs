//! `balance`: how evenly keys are placed.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::print;
use crate::balance::findings::Findings;
use crate::balance::measure::{self, Extent, Run, SHARES};
use crate::balance::page::{self, FITS, SPREADS, sentences};
use crate::cli::Places;
use crate::interrupt;
use crate::launch::process::Binaries;
use crate::plot;
use crate::results::{file, write};
use crate::waiting::measure::csv_of;

/// The numbers of servers of the published counts.
const FEWEST: u32 = 2;
const MOST: u32 = 6;
/// The most in a try.
const MOST_QUICK: u32 = 3;

/// `balance`
#[derive(Debug, Args)]
pub struct Balance {
    /// Only these methods [default: all that `servers place --list` shows]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub methods: Vec<String>,
    /// The most servers, from two on [default: 6, or 3 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=55))]
    pub most: Option<u32>,
    /// Keys to place
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub keys: u32,
    /// A try: few servers, short timing. Its times are not worth keeping
    #[arg(long)]
    pub quick: bool,
    /// Where the keys come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// Measures, draws, and writes the report.
///
/// # Errors
/// A usage error before anything is started; otherwise what failed. What was there before that is
/// kept.
pub fn run(options: &Balance, places: &Places) -> Result<()> {
    let binaries = Binaries::find(places.bin_dir.as_deref())?;
    let methods = measure::chosen(&options.methods, measure::on_offer(&binaries)?)?;
    interrupt::listen()?;
    let mut run = Run::create(&options.out, &binaries, methods, options.extent())?;
    run.measure(&binaries)?;
    publish(&run)
}

impl Balance {
    fn extent(&self) -> Extent {
        let (most, budget_ms) = if self.quick { (MOST_QUICK, 2) } else { (MOST, 200) };
        let most = self.most.unwrap_or(most);
        Extent { fewest: FEWEST, most, keys: self.keys, seed: self.seed, budget_ms }
    }
}

fn publish(run: &Run) -> Result<()> {
    let findings = Findings::of(run);
    write(&run.path.join(SPREADS), &csv_of(&findings.spreads)?)?;
    write(&run.path.join(FITS), &csv_of(&findings.fits)?)?;
    let figures = plot::balance::draw(run, &findings)?;
    let page = page::page(run, &findings, &figures);
    write(&run.path.join(file::REPORT), page.as_bytes())?;
    let path = run.path.display();
    let mut text: String = sentences(&findings).into_iter().map(|line| line + "\n").collect();
    text += &format!("\ncsv     {path}/{SHARES}\nreport  {path}/{}\n", file::REPORT);
    print(&text)
}
