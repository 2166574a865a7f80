//! What a program has done, as it is printed and kept: one line of JSON.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

/// When to end, and where to say what was done.
#[derive(Clone, Debug, Args)]
pub struct Ending {
    /// End after so many packets
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after this time [default: at SIGTERM or Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// At the end, write the counters to this file, too, as JSON
    #[arg(long, value_name = "FILE")]
    pub counters: Option<PathBuf>,
}

/// Time, and CPU time of this thread, since the first packet.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    start: Instant,
    /// In user mode, and in the kernel.
    before: (f64, f64),
}

/// What a [`Meter`] shows, in seconds. What the kernel does for a packet in a softirq, before the
/// socket, is charged to whoever runs at that moment: this thread, another one, or nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// From the first packet to the end, as one looks at a clock.
    pub seconds: f64,
    /// On a CPU, in user mode.
    pub user_seconds: f64,
    /// On a CPU, in the kernel.
    pub system_seconds: f64,
}

impl Meter {
    /// Starts it, in the thread that it is about.
    ///
    /// # Errors
    /// What getrusage(2) says.
    pub fn start() -> io::Result<Self> {
        Ok(Self { start: Instant::now(), before: cpu_time(UsageWho::RUSAGE_THREAD)? })
    }

    /// What was spent since then.
    ///
    /// # Errors
    /// What getrusage(2) says.
    pub fn read(&self) -> io::Result<Spent> {
        let (user, system) = cpu_time(UsageWho::RUSAGE_THREAD)?;
        Ok(Spent {
            seconds: self.start.elapsed().as_secs_f64(),
            user_seconds: user - self.before.0,
            system_seconds: system - self.before.1,
        })
    }
}

/// Prints a report as one line, and writes it to a file if there is one to write to: beside its
/// place, and then renamed, so that nobody reads half of it.
///
/// # Errors
/// Which file can't be written, and why.
pub fn publish(
    report: &impl Serialize,
    out: &mut impl Write,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let line = serde_json::to_string(report)?;
    writeln!(out, "{line}")?;
    out.flush()?;
    let Some(path) = file else { return Ok(()) };
    let beside = path.with_extension("part");
    fs::write(&beside, line + "\n")
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write the counters to {}", path.display()))
}

/// The seconds that a thread or the process has spent on a CPU, in user mode and in the kernel.
///
/// # Errors
/// What getrusage(2) says.
pub(crate) fn cpu_time(who: UsageWho) -> io::Result<(f64, f64)> {
    let usage = getrusage(who)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok((seconds(usage.user_time()), seconds(usage.system_time())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_of_the_cpu_and_sleep_does_not() {
        let meter = Meter::start().unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let slept = meter.read().unwrap();
        assert!(slept.seconds >= 0.06);
        assert!(slept.user_seconds + slept.system_seconds < slept.seconds / 2.0, "{slept:?}");
        let worked = loop {
            let now = meter.read().unwrap();
            if now.user_seconds + now.system_seconds > 0.02 {
                break now;
            }
        };
        assert!(worked.seconds > slept.seconds);
    }

    #[test]
    fn what_is_printed_is_what_is_in_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counters.json");
        let mut out = Vec::new();
        let report = Spent { seconds: 1.5, ..Spent::default() };
        publish(&report, &mut out, Some(&path)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), out);
        assert_eq!(serde_json::from_slice::<Spent>(&out).unwrap(), report);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = publish(&report, &mut out, Some(&path.join("below"))).unwrap_err();
        assert!(error.to_string().contains("counters.json/below"), "{error}");
    }
}
