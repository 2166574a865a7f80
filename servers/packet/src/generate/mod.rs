//! `servers packet generate`: packets by the million, and one at a time.
//!
//! | generator | how a packet comes about | what it is for |
//! |---|---|---|
//! | `datagrams` | sendmmsg(2), through the whole stack | what a sender of this host can do |
//! | `live` | BPF_PROG_TEST_RUN with live frames: none of the stack | what a receiver can take |
//! | `ping` | one datagram, sent when the last is back | how long a packet is under way |
//!
//! A payload begins with a counter of 32 bits, little-endian, that is higher by a step in each.
//! Each generator prints one line of JSON.

mod addresses;
mod datagrams;
mod live;
mod outcome;
mod pace;
mod ping;

use std::io::Write;

use clap::{Args, Subcommand};

pub use datagrams::Datagrams;
pub use live::Live;
pub use outcome::Outcome;
pub use pace::{Amount, Pace};
pub use ping::{Ping, Trips};

/// What to generate.
#[derive(Debug, Args)]
pub struct Generate {
    /// How packets come about
    #[command(subcommand)]
    pub how: How,
}

/// How packets come about.
#[derive(Debug, Subcommand)]
pub enum How {
    /// Send datagrams by sendmmsg(2), through the whole stack
    Datagrams(Datagrams),
    /// Let an XDP program send frames that no stack has made
    Live(Live),
    /// Send one datagram at a time and wait for its echo
    Ping(Ping),
}

/// Does it, and prints a line of JSON.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Generate, out: &mut impl Write) -> anyhow::Result<()> {
    let line = match &options.how {
        How::Datagrams(options) => serde_json::to_string(&options.generate()?)?,
        How::Live(options) => serde_json::to_string(&options.generate()?)?,
        How::Ping(options) => serde_json::to_string(&options.measure()?)?,
    };
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
