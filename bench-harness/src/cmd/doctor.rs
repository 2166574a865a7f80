//! `doctor`: what this host is, and whether it is fit for measurements.

use std::fmt::Write;

use anyhow::Result;

use super::print;
use crate::fault::Unfit;
use crate::launch::pinning::Pinning;
use crate::probe::checks::{self, Verdict};
use crate::probe::host::Host;

/// Runs the sub-command.
///
/// # Errors
/// [`Unfit`] when measurements on this host would mean nothing.
pub fn run() -> Result<()> {
    let host = Host::look();
    let checks = checks::all(&host, &Pinning::of_this_host()?);
    let mut text = format!("{}\n\n", host.line());
    for check in &checks {
        let (word, name, value) = (check.verdict.word(), check.name, &check.value);
        writeln!(text, "{word:<8} {name:<22} {value:<14} {}", check.advice)?;
    }
    print(&text)?;
    match checks.iter().find(|check| check.verdict == Verdict::Unfit) {
        None => Ok(()),
        Some(check) => Err(Unfit(format!("{}: {}", check.name, check.advice)).into()),
    }
}
