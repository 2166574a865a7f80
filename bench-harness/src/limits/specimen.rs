//! A server that is started to be looked at.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;
use crate::restraint::Bonds;

/// How long it may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// A running server; killed when dropped.
#[derive(Debug)]
pub(super) struct Specimen {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Specimen {
    /// Starts an echo server under these limits, on the CPUs that servers have in a trial: how many
    /// those are decides how many workers there are.
    pub(super) fn start(
        binaries: &Binaries,
        model: &str,
        arguments: &[String],
        bonds: Bonds,
    ) -> Result<Self> {
        let line = ["run", "--model", model, "--app", "echo", "--listen", "127.0.0.1:0"];
        let mut line = line.map(str::to_owned).to_vec();
        line.extend_from_slice(arguments);
        let cpus = Pinning::of_this_host()?.server;
        let mut child = Child::bound(&binaries.servers, &line, &cpus, bonds)?;
        let said = child.line(START)?;
        let address = said.strip_prefix("listening ").and_then(|address| address.parse().ok());
        let address =
            address.with_context(|| format!("`servers {}` said `{said}`", line.join(" ")))?;
        Ok(Self { child, address })
    }

    /// What its memory cgroup holds, where it has one of its own.
    pub(super) fn charged(&self) -> Option<u64> {
        self.child.charged()
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }
}
