//! `servers packet jobs-client`: asks for jobs.

use std::io::Write;

use clap::Args;

/// Which jobs to ask for.
#[derive(Debug, Args)]
pub struct Client {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Client, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
