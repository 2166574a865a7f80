//! What a generator has done, as it is printed.

use anyhow::{Context, Result};
use nix::sys::resource::UsageWho;
use serde::{Deserialize, Serialize};

use super::pace::Pace;
use crate::udp::report::cpu_time;

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
        let (user_s, system_s) =
            cpu_time(UsageWho::RUSAGE_SELF).context("asking for the CPU time")?;
        Ok(Self {
            generator: generator.to_owned(),
            offered: pace.dealt(),
            sent,
            seconds,
            user_s,
            system_s,
        })
    }
}
