//! Where trials are made: the programs, their CPUs, and how long each takes.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use super::stage::{Role, START, Stage};
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::probe::quiet::Interval;

/// The UDP port of everything that is measured.
pub const PORT: u16 = 50_001;

/// How long a program may take to end when it is asked to.
const END: Duration = Duration::from_secs(20);
/// How long the host is watched before a pass.
const WATCH: Duration = Duration::from_millis(200);

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How often everything is gone through.
    pub passes: u32,
    /// How long packets are sent for one rate.
    pub rate: Duration,
    /// How long datagrams go to and fro for one way.
    pub trips: Duration,
    /// Packets for a statement at a rate that a socket can follow.
    pub followed: u64,
    /// Packets for a statement at the full rate.
    pub flood: u64,
    /// Jobs for each balancer.
    pub jobs: u64,
    /// How long octets are relayed for one way.
    pub relay: Duration,
}

impl Effort {
    /// Worth keeping.
    pub const FULL: Self = Self {
        passes: 5,
        rate: Duration::from_secs(2),
        trips: Duration::from_secs(2),
        followed: 100_000,
        flood: 4_000_000,
        jobs: 100_000,
        relay: Duration::from_secs(2),
    };

    /// A try.
    pub const QUICK: Self = Self {
        passes: 1,
        rate: Duration::from_millis(200),
        trips: Duration::from_millis(150),
        followed: 2_000,
        flood: 500_000,
        jobs: 3_000,
        relay: Duration::from_millis(600),
    };
}

/// Where trials are made.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program `servers`.
    pub servers: PathBuf,
    /// The program `loadgen`.
    pub loadgen: PathBuf,
    /// The CPUs of each role.
    pub pinning: Pinning,
    /// How much is measured.
    pub effort: Effort,
}

impl Site {
    /// Two hosts and a cable.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn pair(&self) -> Result<Stage> {
        Stage::set(&self.servers, &self.pinning, &["--shape", "pair"])
    }

    /// So many hosts around a bridge.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn star(&self, hosts: usize) -> Result<Stage> {
        let hosts = hosts.to_string();
        Stage::set(&self.servers, &self.pinning, &["--shape", "star", "--hosts", &hosts])
    }

    /// CPUs that others use just now; nothing of ours may run.
    #[must_use]
    pub fn others(&self) -> Option<f64> {
        let interval = Interval::start();
        sleep(WATCH);
        interval.end().cpus
    }
}

/// The words of a line.
#[must_use]
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Starts a program on a host and waits for its first line, which says that it is ready.
///
/// # Errors
/// When it ends without one.
pub fn ready(stage: &Stage, host: usize, line: &str) -> Result<Child> {
    let mut child = stage.start(host, Role::Server, &words(line))?;
    is_ready(&mut child, line)?;
    Ok(child)
}

/// Waits for the first line of a program.
///
/// # Errors
/// When it ends without one.
pub fn is_ready(child: &mut Child, line: &str) -> Result<()> {
    child.line(START).with_context(|| format!("starting `{line}`")).map(drop)
}

/// Asks a program to end, and reads the line of JSON that it ends with.
///
/// # Errors
/// When it had ended before, failed, or says something else.
pub fn ended<T: DeserializeOwned>(mut child: Child) -> Result<T> {
    child.terminate()?;
    last_line(&child.finish(END)?)
}

/// Runs a program to its end, and reads the last line of what it prints.
///
/// # Errors
/// When it fails, takes longer than `patience`, or prints something else.
pub fn run<T: DeserializeOwned>(
    stage: &Stage,
    host: usize,
    line: &str,
    patience: Duration,
) -> Result<T> {
    let mut child = stage.start(host, Role::Load, &words(line))?;
    let text = child.finish(patience + END).with_context(|| format!("running `{line}`"))?;
    last_line(&text)
}

fn last_line<T: DeserializeOwned>(text: &str) -> Result<T> {
    let line = text.lines().last().context("it printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("reading `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let read: u64 = last_line("ready 10.77.0.2:9\n17\n").unwrap();
        assert_eq!(read, 17);
        assert!(last_line::<u64>("").is_err());
        assert!(last_line::<u64>("ready").unwrap_err().to_string().contains("`ready`"));
    }
}
