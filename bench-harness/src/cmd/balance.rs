//! `balance`: how evenly keys are placed.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::print;
use crate::balance::analysis::Analysis;
use crate::balance::measure::{Extent, Run, SHARES};
use crate::balance::page::sentences;
use crate::cli::Places;
use crate::folder::file;
use crate::launch::process::Binaries;
use crate::offer::Offer;
use crate::{interrupt, kept};

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
    let methods = Offer::of(&binaries, "place", "method")?.chosen(&options.methods)?;
    interrupt::listen()?;
    let mut run = Run::create(&options.out, &binaries, methods, options.extent())?;
    run.measure(&binaries)?;
    publish(&Analysis::of(run))
}

impl Balance {
    fn extent(&self) -> Extent {
        let (most, budget_ms) = if self.quick { (MOST_QUICK, 2) } else { (MOST, 200) };
        let most = self.most.unwrap_or(most);
        Extent { fewest: FEWEST, most, keys: self.keys, seed: self.seed, budget_ms }
    }
}

fn publish(analysis: &Analysis) -> Result<()> {
    analysis.keep()?;
    kept::publish(analysis)?;
    let path = analysis.run.folder.path().display();
    let sentences = sentences(&analysis.findings);
    let mut text: String = sentences.into_iter().map(|line| line + "\n").collect();
    text += &format!("\ncsv     {path}/{SHARES}\nreport  {path}/{}\n", file::REPORT);
    print(&text)
}
