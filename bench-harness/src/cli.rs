//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cmd::balance::Balance;
use crate::cmd::limits::Limits;
use crate::cmd::memory::Memory;
use crate::cmd::packets::Packets;
use crate::cmd::waiting::Waiting;
use crate::experiment::span;

/// Runs experiments over I/O models: trials, records, charts, reports.
///
/// Exit status: 0 fine, 1 the tool failed, 2 wrong usage, 3 the result is not settled (as a
/// prediction that was off), 4 the host or the run is not fit.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where things are.
    #[command(flatten)]
    pub places: Places,
}

/// Where things are.
#[derive(Clone, Debug, Args)]
pub struct Places {
    /// Folder of the binaries `servers` and `loadgen` [default: that of this program]
    #[arg(long, global = true, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
    /// Folder of the experiments
    #[arg(long, global = true, value_name = "DIR", default_value = "bench-harness/experiments")]
    pub experiments: PathBuf,
}

/// A sub-command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The experiments, or the trials of one
    List(List),
    /// Check that each model answers correctly; nothing is timed
    Verify(Verify),
    /// What this host is, and whether it is fit for measurements
    Doctor,
    /// Run an experiment, draw its charts, write its report
    Run(Run),
    /// How many clients each model can serve here, what stops it, and how to raise that
    Limits(Limits),
    /// What an idle connection, or a thread, costs in memory, and who holds it
    Memory(Memory),
    /// What a wait costs, by idle and by active descriptors
    Waiting(Waiting),
    /// How evenly each method of placing keys balances, and what moves when a node comes or goes
    Balance(Balance),
    /// What it costs to wait for packets: XDP, AF_XDP, UDP sockets, sockmap
    Packets(Packets),
    /// Put back what another process has changed on this host, when that one has gone
    #[command(hide = true)]
    Warden,
    /// Draw the charts of a run again
    Plot(Folder),
    /// Write the report of a run again
    Report(Report),
}

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// An experiment: its name, or the path of a TOML file
    pub experiment: Option<String>,
}

/// Which cells of the matrix.
#[derive(Clone, Debug, Default, Args)]
pub struct Cells {
    /// Only these models
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Only cells with these values: `model=poll,epoll-edge`, `app=http`, `connections=1,100`
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub filter: Vec<String>,
    /// Only the cells that the experiment lists as its cases
    #[arg(long)]
    pub cases: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Only the models and apps of this experiment [default: all]
    pub experiment: Option<String>,
    /// Only these models
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub models: Vec<String>,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// An experiment: its name, or the path of a TOML file
    pub experiment: String,
    /// Which cells of its matrix.
    #[command(flatten)]
    pub cells: Cells,
    /// Seed of the order of trials [default: taken from the clock, and recorded]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How often each cell is measured [default: as the experiment says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// Length of the measuring phase, such as 500ms or 5s [default: as the experiment says]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub duration: Option<Duration>,
    /// A try: half a second a trial, or a tenth of the requests, each cell once. Its numbers are
    /// not worth keeping
    #[arg(long, conflicts_with_all = ["duration", "repeat"])]
    pub quick: bool,
    /// Write down the CPU time of each process and of the host once a second, in samples.csv
    #[arg(long)]
    pub cpu_samples: bool,
    /// Cite this calibration of the load generator: the `calibration.json` of `loadgen calibrate`
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Make a calibration first, in about 20 seconds
    #[arg(long, conflicts_with = "calibration")]
    pub calibrate: bool,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
}

/// A run that has been made.
#[derive(Debug, Args)]
pub struct Folder {
    /// Folder of the run: the one that holds `manifest.toml`
    pub run: PathBuf,
}

/// `report`
#[derive(Debug, Args)]
pub struct Report {
    /// Folder of the run: the one that holds `manifest.toml`
    pub run: PathBuf,
    /// Put the answer of the run between the marks of this Markdown file, too
    #[arg(long, value_name = "FILE")]
    pub splice: Option<PathBuf>,
}
