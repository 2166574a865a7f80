//! What a long test has found, in a line: `scripts/prove-replicas` makes a table of them.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// The file that lines are appended to, where this names one.
const FILE: &str = "PROOF_FILE";

/// What was found about one thing.
#[derive(Debug)]
pub(crate) struct Proof {
    /// What it is.
    pub(crate) what: String,
    /// How often something was done to a process.
    pub(crate) times: usize,
    /// How long each of it lasted; nothing where that is not what it is about.
    pub(crate) lasted: Vec<Duration>,
    /// Processes that were left behind; none where nobody looked.
    pub(crate) orphans: Option<usize>,
    /// Requests that were made, and what became of them.
    pub(crate) requests: Requests,
}

/// Requests, and what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) made: u64,
    pub(crate) answered: u64,
    /// With an error that the client was told.
    pub(crate) refused: u64,
    /// Without an answer or an error.
    pub(crate) lost: u64,
    /// With the answer to another one.
    pub(crate) wrong: u64,
    /// Done more than once, and must not be; none where nobody counted.
    pub(crate) twice: Option<u64>,
}

impl Proof {
    /// The value that so many of a hundred do not exceed: the nearest rank.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.lasted.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.max(1) - 1).copied()
    }

    /// Prints it, and appends it to the file. Before anything is asserted, so that what was found
    /// can be read even if it should not be so.
    pub(crate) fn tell(&self) {
        let line = self.line();
        println!("{line}");
        let Ok(path) = env::var(FILE) else { return };
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all((line + "\n").as_bytes()).unwrap();
    }

    /// what, times, p50, p99 and max in milliseconds, orphans, requests, answered, refused, lost,
    /// wrong, twice
    fn line(&self) -> String {
        let Requests { made, answered, refused, lost, wrong, twice } = self.requests;
        let milliseconds = |percent| {
            let value = self.percentile(percent).map(|time| time.as_secs_f64() * 1e3);
            value.map_or_else(String::new, |value| format!("{value:.1}"))
        };
        let (p50, p99, max) = (milliseconds(50), milliseconds(99), milliseconds(100));
        let orphans = self.orphans.map_or_else(String::new, |count| count.to_string());
        let twice = twice.map_or_else(String::new, |count| count.to_string());
        let (what, times) = (&self.what, self.times);
        format!(
            "{what},{times},{p50},{p99},{max},{orphans},{made},{answered},{refused},{lost},\
             {wrong},{twice}"
        )
    }
}

/// A number from the environment, or this one.
pub(crate) fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}
