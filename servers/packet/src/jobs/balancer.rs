//! `servers packet jobs-balancer`: the balancer of jobs, in user space.

use std::io::Write;

use clap::Args;

/// Where to balance, and how.
#[derive(Debug, Args)]
pub struct Balancer {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balancer, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
