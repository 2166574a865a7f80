//! The options that say when requests are sent.

use std::time::Duration;

use clap::Args;

use super::parse_duration;
use crate::failure::Failure;
use crate::plan::{Load, Think};
use crate::schedule::{Pattern, Schedule};

/// When requests are sent.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "When requests are sent")]
pub(super) struct LoadArguments {
    /// Closed loop: the answer to a request is the signal for the next one (default)
    #[arg(long, conflicts_with = "rate")]
    closed: bool,
    /// Closed loop: a pause between an answer and the next request; exp:TIME for exponential ones
    #[arg(long, value_name = "TIME", conflicts_with = "rate")]
    think: Option<Think>,
    /// Open loop: that many requests a second over all connections, whatever the server does
    #[arg(short = 'R', long, value_name = "N", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Open loop: constant (default), poisson, bursts:N, pareto:ALPHA, ramp:FROM, or trace:FILE,
    /// which has a rate of its own
    #[arg(long, value_name = "PATTERN")]
    arrivals: Option<Pattern>,
    /// Of the schedule and of think times: the same seed gives the same times
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Requests that may be out on one connection at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) pipeline: u16,
    /// Spin in place of sleeping: for this long before a request is due, and while answers are out
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0us")]
    pub(super) spin: Duration,
}

impl LoadArguments {
    /// When requests are sent, if measuring begins after `lead` and lasts for `length`.
    pub(super) fn load(&self, lead: Duration, length: Duration) -> Result<Load, Failure> {
        let pattern = self.arrivals.clone().unwrap_or(Pattern::Constant);
        let rate = self.rate.or_else(|| pattern.own_rate());
        match (rate, &self.arrivals) {
            (Some(rate), _) => Ok(self.open(pattern, rate, lead, length)),
            (None, None) => Ok(Load::Closed(self.think.unwrap_or(Think::None))),
            (None, Some(_)) => Err(Failure::Usage(format!("--arrivals {pattern} needs a --rate"))),
        }
    }

    /// The same for a search, which sets the rate itself. Users who don't know of each other arrive
    /// like a Poisson process.
    pub(super) fn load_to_search(&self, lead: Duration, length: Duration) -> Load {
        self.open(self.arrivals.clone().unwrap_or(Pattern::Poisson), 1.0, lead, length)
    }

    fn open(&self, pattern: Pattern, rate: f64, lead: Duration, length: Duration) -> Load {
        Load::Open(Schedule { pattern, rate, seed: self.seed, lead, length })
    }

    /// Whether a schedule says when requests are sent.
    pub(super) fn is_open(&self) -> bool {
        self.rate.is_some() || self.arrivals.is_some()
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if rate.is_finite() && (1e-6..=1e9).contains(&rate) {
        Ok(rate)
    } else {
        Err("a rate is between 0.000001 and 1000000000 requests a second".to_owned())
    }
}
