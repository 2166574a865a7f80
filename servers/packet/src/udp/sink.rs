//! `servers packet sink`: packets counted in user space.

use std::io::Write;

use clap::Args;

/// What to count, and how.
#[derive(Debug, Args)]
pub struct Sink {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Sink, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
