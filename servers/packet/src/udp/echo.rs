//! `servers packet echo`: datagrams sent back by user space.

use std::io::Write;

use clap::Args;

/// What to echo, and how.
#[derive(Debug, Args)]
pub struct Echo {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Echo, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
