//! `servers packet listing`: a program as the kernel gets it, with its comments.

use std::io::Write;

use clap::Args;

/// Which program to show.
#[derive(Debug, Args)]
pub struct Listing {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Listing, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    anyhow::bail!("not built in this version")
}
