//! `servers packet balance`: the balancer of jobs, in XDP, on an interface.

use std::io::Write;

use clap::Args;

/// Where to balance, and how.
#[derive(Debug, Args)]
pub struct Balance {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balance, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
