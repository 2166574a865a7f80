//! What came of each way, for people and for programs.

use std::io::Write;

use serde::Serialize;

use super::BEYOND;
use super::child::Outcome;
use super::serving::CLIENTS;
use crate::cli::Format;
use crate::columns;

/// What came of one way.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) way: &'static str,
    pub(super) summary: &'static str,
    /// How the process ended.
    pub(super) outcome: Outcome,
    /// What it said, or what was seen, in one line.
    pub(super) evidence: String,
}

impl Row {
    fn columns(&self) -> [String; 3] {
        [self.summary.into(), self.outcome.to_string(), self.evidence.clone()]
    }
}

#[derive(Serialize)]
struct Report<'a> {
    fd_setsize: usize,
    descriptor: i32,
    clients: usize,
    ways: &'a [Row],
    explanation: &'static str,
}

const HEAD: [&str; 3] = ["who", "what comes of it", "evidence"];

const EXPLANATION: &str = "\
FD_SETSIZE limits the number of a descriptor, not how many there are, and it lies in the C library:
its fd_set is an array of fixed length, and FD_SET stores wherever the number points. The kernel
has no such type: it is handed an address and how many bits to look at. select-wide hands it longer
sets, and serves whom the descriptor limit lets in; but each wait passes over all bits up to the
highest, whoever is idle.";

/// Writes them down.
///
/// # Errors
/// When `out` does not take it.
pub(super) fn write(out: &mut impl Write, format: Format, rows: &[Row]) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(
                &mut *out,
                &Report {
                    fd_setsize: libc::FD_SETSIZE,
                    descriptor: BEYOND,
                    clients: CLIENTS,
                    ways: rows,
                    explanation: EXPLANATION,
                },
            )?;
            writeln!(out)?;
        }
        Format::Csv => columns::csv(out, &lines(rows))?,
        Format::Table => {
            columns::table(out, &lines(rows))?;
            writeln!(out, "\n{EXPLANATION}")?;
        }
    }
    Ok(())
}

fn lines(rows: &[Row]) -> Vec<[String; 3]> {
    std::iter::once(HEAD.map(String::from)).chain(rows.iter().map(Row::columns)).collect()
}
