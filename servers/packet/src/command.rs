//! `servers packet …`: the command line of this room.

use std::io::Write;

use clap::{Args, Subcommand};

/// What to do with packets.
#[derive(Debug, Args)]
pub struct Packet {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What to do with packets.
#[derive(Debug, Subcommand)]
pub enum What {}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Packet, out: &mut impl Write) -> anyhow::Result<()> {
    let _ = out;
    match options.what {}
}
