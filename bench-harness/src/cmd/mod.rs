//! The sub-commands, one a file.

pub mod balance;
pub mod doctor;
pub mod limits;
pub mod list;
pub mod memory;
pub mod packets;
pub mod plot;
mod raise;
pub mod report;
pub mod run;
pub mod verify;
pub mod waiting;

use std::io::{ErrorKind, Write, stdout};

use anyhow::Result;

use crate::cli::Cells;
use crate::experiment::condition::Condition;

/// Prints to standard output. A reader that has seen enough (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    match stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The condition that `--models` and `--filter` make together.
fn condition(cells: &Cells) -> Result<Condition> {
    let mut condition = Condition::default();
    if !cells.models.is_empty() {
        condition.add(&format!("model={}", cells.models.join(",")))?;
    }
    cells.filter.iter().try_for_each(|text| condition.add(text))?;
    Ok(condition)
}
