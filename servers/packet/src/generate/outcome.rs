//! What a generator has done, as it is printed.

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use super::pace::Pace;

/// What a generator has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub generator: String,
    /// Packets that were to be sent.
    pub offered: u64,
    /// Packets that went out. The others found no room at the other end of the cable.
    pub sent: u64,
    /// How long that took.
    pub seconds: f64,
    /// CPU time of the process in user mode, in seconds.
    pub user_s: f64,
    /// CPU time of the process in the kernel, in seconds; on Linux without accounting of interrupts
    /// this has a share of what the receiver's side does in softirqs.
    pub system_s: f64,
}

impl Outcome {
    /// Of a generator that has come to its end.
    ///
    /// # Errors
    /// When the kernel does not tell the CPU time.
    pub(super) fn of(generator: &str, pace: &Pace, sent: u64) -> Result<Self> {
        let seconds = pace.elapsed().as_secs_f64();
        let usage = getrusage(UsageWho::RUSAGE_SELF).context("asking for the CPU time")?;
        let span = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Ok(Self {
            generator: generator.to_owned(),
            offered: pace.dealt(),
            sent,
            seconds,
            user_s: span(usage.user_time()),
            system_s: span(usage.system_time()),
        })
    }
}
