//! What an agent writes at the head of its logs, so that they can be told apart and put together.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock_state::{ClockState, Trust};
use super::seat::Seat;
use super::watch::ClockWatch;
use crate::report::Requests;

/// Who wrote a log, and as a part of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the load generator.
    pub version: String,
    /// Counted from 0.
    pub rank: u32,
    /// How many agents there are.
    pub size: u32,
    /// The same for all agents of a run, whatever their rank.
    #[serde(flatten)]
    pub workload: Workload,
    /// The time since the Unix epoch at which the load was to begin, in nanoseconds; none if nobody
    /// said.
    pub start_at_ns: Option<u64>,
    /// The name of the host.
    pub host: String,
    /// The identity of this boot of the kernel: the same in all containers and namespaces of a
    /// host.
    pub boot_id: String,
    /// `CLOCK_REALTIME` − `CLOCK_MONOTONIC` at the beginning, in nanoseconds: the same wherever the
    /// boot is the same.
    pub clock_offset_ns: i64,
    /// What the kernel knows about the clock.
    pub clock: ClockState,
    /// Whether the user vouched for it (`--trust-clock`).
    pub clock_trusted: bool,
}

/// What is the same for all agents of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The fingerprint of the schedule; that of a closed loop is made of its settings.
    pub schedule: String,
    /// Requests a second over all agents; none in a closed loop.
    pub rate: Option<f64>,
}

/// What is known at the end only, and stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The length of the measuring phase. The log may go on: with late answers.
    pub elapsed_ns: u64,
    /// The largest step of the wall clock that was seen, in nanoseconds.
    pub clock_step_ns: i64,
    /// The requests of the measuring phase.
    pub requests: Requests,
}

impl Identity {
    /// Gathers what there is to know about this process and its host.
    #[must_use]
    pub fn of_this_process(
        seat: Seat,
        workload: Workload,
        start_at: Option<Duration>,
        clock: (ClockState, Trust),
        watch: &ClockWatch,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rank: seat.rank,
            size: seat.size,
            workload,
            start_at_ns: start_at.and_then(|time| time.as_nanos().try_into().ok()),
            host: kernel("hostname"),
            boot_id: kernel("random/boot_id"),
            clock_offset_ns: watch.offset_ns(),
            clock: clock.0,
            clock_trusted: clock.1 == Trust::User,
        }
    }
}

/// A text of the kernel (proc_sys_kernel(5), random(4)); empty where /proc is not mounted.
fn kernel(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    text.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_flat_and_comes_back_as_it_was() {
        let workload = Workload { schedule: "00c0ffee".to_owned(), rate: Some(2000.0) };
        let seat = Seat { rank: 1, size: 4 };
        let clock = (ClockState::default(), Trust::User);
        let start = Some(Duration::from_millis(1_700_000_000_500));
        let watch = ClockWatch::begin();
        let identity = Identity::of_this_process(seat, workload, start, clock, &watch);
        let value = serde_json::to_value(&identity).expect("it is JSON");
        assert_eq!(value["schedule"], "00c0ffee");
        assert_eq!(value["start_at_ns"], 1_700_000_000_500_000_000_u64);
        assert_eq!(value["boot_id"].as_str().map(str::len), Some(36));
        assert_eq!(serde_json::from_value::<Identity>(value).expect("it is one"), identity);
    }
}
