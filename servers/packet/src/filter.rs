//! `servers packet filter`: the filter of even counters on an interface, and what it decides.

use std::io::Write;

use clap::Args;

/// Where to filter, and how.
#[derive(Debug, Args)]
pub struct Filter {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Filter, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
