//! The command line of `servers time-waits`.

use std::time::Duration;

use clap::Args;

use super::row::Format;
use super::{ACTIVE_MAX, WAITERS, Waiter, waiter};

/// What to measure, and how often.
#[derive(Debug, Args)]
pub struct TimeWaits {
    /// Show the pollers, one a line, and do nothing else
    #[arg(long)]
    pub list: bool,
    /// How to wait for sockets: a name that --list shows
    #[arg(long, value_name = "NAME", value_parser = parse_waiter, required_unless_present = "list")]
    pub poller: Option<&'static Waiter>,
    /// Watched connections that say nothing
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,100,900")]
    pub idle: Vec<usize>,
    /// Watched connections that are ready at each wait, at most 256: what one wait of epoll brings
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1",
          value_parser = parse_active)]
    pub active: Vec<usize>,
    /// Refuse more idle connections than this: each takes two descriptors and their sockets' memory
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub idle_max: usize,
    /// Waits to time for each condition in each pass, if the budget allows it
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rounds: u32,
    /// How long a condition may take in a pass, with what lies between its waits
    #[arg(long, value_name = "TIME", default_value = "100ms",
          value_parser = humantime::parse_duration)]
    pub budget: Duration,
    /// How often to go through all conditions, each time in another order
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub passes: u32,
    /// Where the random orders come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// For spreadsheets, for programs
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
}

fn parse_waiter(name: &str) -> Result<&'static Waiter, String> {
    waiter(name).ok_or_else(|| {
        let names = WAITERS.iter().map(|waiter| waiter.name).collect::<Vec<_>>().join(", ");
        format!("there is no such poller; the pollers are {names}")
    })
}

fn parse_active(text: &str) -> Result<usize, String> {
    let range = format!("between 1 and {ACTIVE_MAX}, as one wait of epoll brings no more");
    let active = text.parse().map_err(|_| range.clone())?;
    if (1..=ACTIVE_MAX).contains(&active) { Ok(active) } else { Err(range) }
}
