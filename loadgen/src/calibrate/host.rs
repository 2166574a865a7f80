//! What a calibration is true of: this host, and where the two processes ran on it.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde::Serialize;

use crate::failure::Failure;

/// Which CPU is whose. The server spins, so on a host with two CPUs or more it gets one to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Placement {
    /// The load generator and the server have one each.
    Apart {
        /// The CPU of the load generator.
        generator: usize,
        /// The CPU of the server.
        server: usize,
    },
    /// They share the only one.
    Together,
}

/// The host.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Host {
    /// Name and release of the kernel.
    pub(crate) kernel: String,
    /// CPUs that this process may use.
    pub(crate) cpus: usize,
    /// Which of them were used.
    pub(crate) placement: Placement,
}

impl Placement {
    /// The last two CPUs that this process may use, since interrupts go to the first ones as a
    /// rule.
    ///
    /// # Errors
    /// If the kernel doesn't tell.
    pub(crate) fn of_this_process() -> Result<Self, Failure> {
        match usable_cpus()?[..] {
            [.., generator, server] => Ok(Self::Apart { generator, server }),
            _ => Ok(Self::Together),
        }
    }
}

impl Host {
    pub(crate) fn new(placement: Placement) -> Self {
        // proc_sys_kernel(5)
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
        let kernel = release.map_or_else(
            |_| "Linux of unknown release".to_owned(),
            |release| format!("Linux {}", release.trim_end()),
        );
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self { kernel, cpus, placement }
    }
}

fn usable_cpus() -> Result<Vec<usize>, Failure> {
    let set = sched_getaffinity(Pid::from_raw(0));
    let set = set.map_err(|error| Failure::Unfit(format!("which CPUs may be used: {error}")))?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}
