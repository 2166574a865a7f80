//! The command line: a run as such, or one of the commands around it.

mod agent;
mod load;
mod run;
mod work;

#[cfg(test)]
pub(crate) use run::plan_of;
pub use run::{Format, RunArguments};

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::{calibrate, hostile, merge, records};

/// Puts a server under load, checks every reply and records every latency.
///
/// In the closed loop each connection sends its next request as soon as it has the answer to the
/// last one. In the open loop (--rate) a schedule fixes when each request is to be sent, whatever
/// the server does.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    after_help = run::AFTER_HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct CommandLine {
    /// A command in place of a run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The run.
    #[command(flatten)]
    pub run: RunArguments,
}

/// The commands around a run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Measure the ruler: compare known answers with found ones
    Calibrate(calibrate::Arguments),
    /// Join the logs of several agents
    Merge(merge::Arguments),
    /// Compute the figures of a run again from its log of every request
    Figures(records::Arguments),
    /// Misbehave on purpose: slow readers, slow senders, half-open connections, resets
    Hostile(hostile::Arguments),
}

/// A time with its unit: 10s, 500ms, 250us, 1.5s, 2m.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let second = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time is a number with a unit: 500ms, 10s, 2m".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    Duration::try_from_secs_f64(number * second).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        let cases = [("10s", 10_000_000), ("1.5s", 1_500_000), ("250us", 250), ("7µs", 7)];
        for (text, micros) in cases.into_iter().chain([("2m", 120_000_000), ("500ms", 500_000)]) {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1 s", "1day", "infs", "1e40h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
