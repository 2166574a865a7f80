//! `servers place`: where the keys go, how evenly, and which move when a node comes or goes.

use std::io::Write;

/// What to place, and by which methods.
#[derive(Debug, clap::Args)]
pub struct Place {}

/// Places keys and writes what came out.
///
/// # Errors
/// When `out` can't be written.
pub fn run(options: &Place, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    Ok(())
}
