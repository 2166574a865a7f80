//! Context switches for one request: a thread for each client against one thread for all.
//!
//! Counts only. A thread that waits for its own client gives up the CPU for each request; a reactor
//! that finds many clients ready answers them all before it waits again.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use loadgen::report::{Connections, Summary};

use crate::experiment::App;
use crate::launch::process::Processes;
use crate::launch::{Launcher, LoadPlan, ServerPlan, summary};

/// The same load for each model.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clients in a closed loop.
    pub connections: u64,
    /// The measuring phase.
    pub measure: Duration,
}

/// What the server did under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// The I/O model.
    pub model: String,
    /// Clients in a closed loop.
    pub connections: u64,
    /// Requests answered.
    pub requests: u64,
    /// The server gave up the CPU.
    pub voluntary: u64,
    /// The CPU was taken from it.
    pub involuntary: u64,
    /// Threads of the server.
    pub threads: u64,
}

impl Switches {
    /// Puts the load on a fresh server.
    ///
    /// # Errors
    /// When one of the two processes fails.
    pub fn count(model: &str, load: Load, launcher: &mut Processes) -> Result<Self> {
        let plan = ServerPlan::new(model, App::Echo);
        let server = launcher.serve(&plan).with_context(|| format!("starting {model}"))?;
        let text = launcher.load(&load.plan(), server.as_ref())?;
        server.stop()?;
        Self::of(model, &summary::read(&text)?)
    }

    fn of(model: &str, summary: &Summary) -> Result<Self> {
        let connections = &summary.connections;
        if connections.established < connections.asked {
            let Connections { asked, established, .. } = connections;
            bail!("only {established} of {asked} clients of {model} were connected");
        }
        let server = summary.server.context("loadgen says nothing about the server")?;
        Ok(Self {
            model: model.to_owned(),
            connections: summary.connections.asked,
            requests: summary.requests.answered,
            voluntary: server.switches_voluntary,
            involuntary: server.switches_involuntary,
            threads: server.threads,
        })
    }

    /// Switches of both kinds for one request.
    #[must_use]
    pub fn each(&self) -> Option<f64> {
        let all = (self.voluntary + self.involuntary) as f64;
        (self.requests > 0).then(|| all / self.requests as f64)
    }
}

impl Load {
    fn plan(self) -> LoadPlan {
        LoadPlan::closed(App::Echo, self.connections, self.measure / 4, self.measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen::report::Usage;

    #[test]
    fn both_kinds_are_divided_by_the_requests() {
        let mut summary = Summary::default();
        summary.requests.answered = 100;
        assert!(Switches::of("thread", &summary).is_err());
        let usage = Usage { switches_voluntary: 150, switches_involuntary: 10, ..Usage::default() };
        summary.server = Some(usage);
        let switches = Switches::of("thread", &summary).unwrap();
        assert_eq!(switches.each(), Some(1.6));
        assert_eq!(Switches::default().each(), None);
    }
}
