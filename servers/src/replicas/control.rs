//! `servers control`: asks a balancer, once or line by line.

use std::io::Write;

/// Whom to ask, and what.
#[derive(Debug, clap::Args)]
pub struct Control {}

/// Asks.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Control, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = (options, out);
    Ok(())
}
