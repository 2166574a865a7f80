//! `servers packet jobs-server`: a pool of threads that does jobs.

use std::io::Write;

use clap::Args;

/// Which pool, and for whom.
#[derive(Debug, Args)]
pub struct Server {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Server, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
