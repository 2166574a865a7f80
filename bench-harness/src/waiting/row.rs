//! The lines that `servers time-waits --format csv` prints.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::stats::median;

/// One condition in one pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The poller.
    pub poller: String,
    /// The number of the pass, from 1; 0 where nothing was measured.
    pub pass: u32,
    /// The place of the condition in the random order of the pass.
    pub place: usize,
    /// Watched connections that say nothing.
    pub idle: usize,
    /// Watched connections that are ready at each wait.
    pub active: usize,
    /// One more than the highest watched descriptor.
    pub highest_fd: Option<usize>,
    /// Descriptor tables that the connections are in.
    pub tables: Option<usize>,
    /// Waits timed.
    pub rounds: usize,
    /// What was taken off each for reading the clock, in nanoseconds.
    pub clock_ns: Option<f64>,
    /// A quantile of the waits, in nanoseconds.
    pub wait_q05_ns: Option<f64>,
    /// Another.
    pub wait_q25_ns: Option<f64>,
    /// The median.
    pub wait_median_ns: Option<f64>,
    /// Another.
    pub wait_q75_ns: Option<f64>,
    /// Another.
    pub wait_q95_ns: Option<f64>,
    /// The mean of the middle half: the number that is fitted.
    pub wait_middle_mean_ns: Option<f64>,
    /// Asking for one descriptor again, where the trigger is one-shot, in nanoseconds.
    pub rearm_median_ns: Option<f64>,
    /// All rounds from end to end, in microseconds.
    pub wall_us: Option<u64>,
    /// CPU time of the thread in that, in microseconds.
    pub cpu_us: Option<u64>,
    /// Why nothing was measured: `ceiling` or `table`; or [`FAILED`].
    pub skipped: Option<String>,
    /// The same in a sentence.
    pub note: String,
}

/// Nothing was measured of a poller, since its process failed.
pub const FAILED: &str = "failed";

impl Row {
    /// The row of a poller whose process failed.
    #[must_use]
    pub fn failed(poller: &str, error: &anyhow::Error) -> Self {
        // In one line, for lists and tables.
        let words: Vec<_> = format!("{error:#}").split_whitespace().map(str::to_owned).collect();
        let (skipped, note) = (Some(FAILED.to_owned()), words.join(" "));
        Self { poller: poller.to_owned(), skipped, note, ..Self::default() }
    }

    /// Whether the process of the poller failed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.skipped.as_deref() == Some(FAILED)
    }
}

/// Reads what the servers printed.
///
/// # Errors
/// When it is something else.
pub fn parse(text: &str) -> Result<Vec<Row>> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().context("reading `servers time-waits --format csv`")
}

/// A condition, over all passes.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// Watched connections that say nothing.
    pub idle: usize,
    /// Watched connections that are ready.
    pub active: usize,
    /// Its rows, one a pass.
    pub rows: Vec<&'a Row>,
}

impl Point<'_> {
    /// Nanoseconds of a wait, one a pass.
    pub fn waits(&self) -> impl Iterator<Item = f64> {
        self.rows.iter().filter_map(|row| row.wait_middle_mean_ns)
    }

    /// The median over the passes.
    #[must_use]
    pub fn typical(&self) -> Option<f64> {
        median(&self.waits().collect::<Vec<_>>())
    }
}

/// The conditions of a poller that were measured, by idle and then by active connections.
#[must_use]
pub fn points<'a>(rows: &'a [Row], poller: &str) -> Vec<Point<'a>> {
    let measured = |row: &&Row| row.poller == poller && row.wait_middle_mean_ns.is_some();
    let mut rows: Vec<_> = rows.iter().filter(measured).collect();
    rows.sort_by_key(|row| (row.idle, row.active, row.pass));
    let same = |one: &&Row, other: &&Row| (one.idle, one.active) == (other.idle, other.active);
    let point =
        |rows: &[&'a Row]| Point { idle: rows[0].idle, active: rows[0].active, rows: rows.into() };
    rows.chunk_by(same).map(point).collect()
}

/// The pollers, in the order of the rows.
#[must_use]
pub fn pollers(rows: &[Row]) -> Vec<&str> {
    let mut names: Vec<_> = rows.iter().map(|row| row.poller.as_str()).collect();
    names.dedup();
    names
}
