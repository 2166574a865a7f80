//! `servers packet generate`: packets by the million.

use std::io::Write;

use clap::Args;

/// What to generate.
#[derive(Debug, Args)]
pub struct Generate {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Generate, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
