//! `servers packet count`: the client of the filter, which sends 0, 1, 2, … and hears nothing.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::report::{Ending, publish};
use super::socket_between;
use crate::stop::Stop;

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// What to send, and where to.
#[derive(Clone, Debug, Args)]
pub struct Count {
    /// Where to
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// How long between two numbers
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
    /// The first number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub first: u32,
    /// When to end; --count is of numbers.
    #[command(flatten)]
    pub ending: Ending,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Numbers sent.
    pub sent: u64,
    /// Numbers that could not be sent: nobody was there, or there was no room.
    pub unsent: u64,
}

/// Does it.
///
/// # Errors
/// When there is no way to the address, or standard output takes no more.
pub fn run(options: &Count, out: &mut impl Write) -> anyhow::Result<()> {
    let stop = Stop::at_signals(options.ending.duration).context("cannot watch for signals")?;
    let socket = socket_between(None, options.to)?;
    let (mut report, mut number, mut due) = (Report::default(), options.first, Instant::now());
    for _ in 0..options.ending.count.unwrap_or(u64::MAX) {
        if !stop.sleep_until(due) {
            break;
        }
        writeln!(out, "Sending [{number}] to {}", options.to)?;
        out.flush()?;
        match socket.send(&number.to_le_bytes()) {
            Ok(_) => report.sent += 1,
            Err(_) => report.unsent += 1,
        }
        number = number.wrapping_add(1);
        // A time beyond all clocks is as good as the longest there is.
        due = due.checked_add(options.wait).unwrap_or_else(|| due + CENTURY);
    }
    publish(&report, out, options.ending.counters.as_deref())
}
