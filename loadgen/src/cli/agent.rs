//! The options of an agent among several.

use std::env;
use std::time::Duration;

use clap::Args;

use crate::agent::{Asked, Seat, StartAt, Trust};
use crate::failure::Failure;

/// Several load machines without a coordinator.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "One agent among several")]
pub(super) struct AgentArguments {
    /// Which agent this is, from 0; else as mpirun, srun, parallel or Kubernetes say
    #[arg(long, value_name = "K")]
    rank: Option<u32>,
    /// When the load begins: @1700000000.5, 2026-11-21T15:00:00Z or +5s
    #[arg(long, value_name = "TIME")]
    start_at: Option<StartAt>,
    /// Begin although the kernel does not vouch for the clock
    #[arg(long)]
    trust_clock: bool,
}

impl AgentArguments {
    /// Whether `--size` is the number of agents.
    pub(super) fn are_given(&self) -> bool {
        self.rank.is_some() || self.start_at.is_some()
    }

    pub(super) fn seat(&self, size: Option<u32>) -> Result<Seat, Failure> {
        Seat::find(Asked { rank: self.rank, size }, |name| env::var(name).ok())
    }

    pub(super) fn start_at(&self) -> Option<Duration> {
        self.start_at.map(StartAt::time)
    }

    pub(super) fn trust(&self) -> Trust {
        if self.trust_clock { Trust::User } else { Trust::Kernel }
    }
}
