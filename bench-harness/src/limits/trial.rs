//! One step: a fresh server, so many clients at once, and what came out.
//!
//! Each client connects, and when all have, each sends a message and has it compared, octet by
//! octet; after the last answer all of them stay connected for a moment. So a step that succeeds
//! has had all clients open at once, each served.

use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use loadgen::search::Objective;

use super::evidence::{Evidence, Load};
use super::outcome::Outcome;
use super::seek::Step;
use crate::experiment::{App, span};
use crate::interrupt;
use crate::launch::process::{Processes, Serving};
use crate::launch::{Server, ServerPlan, summary};

/// How long all clients stay after the last answer, so that none had left before another came.
const HOLD: Duration = Duration::from_millis(100);

/// How long the server lets a client be silent: longer than any step takes.
const SILENCE: &str = "1h";

/// What is the same in all steps of a model.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The model.
    pub model: String,
    /// The app.
    pub app: App,
    /// Descriptor tables of the server; `None` for what the model takes.
    pub tables: Option<Tables>,
    /// More options of `servers run`.
    pub options: Vec<String>,
    /// How long a client waits for its answer, and for its connection.
    pub patience: Duration,
    /// How long all of a step may take.
    pub longest: Duration,
    /// What the response times have to keep.
    pub objective: Option<Objective>,
}

/// How many descriptor tables a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// So many.
    Fixed(u16),
    /// As many as the clients need.
    Auto,
}

impl Trial {
    /// Takes so many descriptor tables, unless the number has been chosen.
    pub(super) fn take_tables(&mut self, tables: u32) {
        let tables = u16::try_from(tables).unwrap_or(u16::MAX);
        self.tables.get_or_insert(Tables::Fixed(tables));
    }

    /// Makes a step. What goes wrong is its outcome.
    ///
    /// # Errors
    /// Only when the user wants to stop.
    pub fn step(&self, clients: u64, processes: &mut Processes) -> Result<Step> {
        let start = Instant::now();
        let (served, outcome) = self.attempt(clients, processes).unwrap_or_else(|error| {
            (0, Outcome::NotStarted { why: format!("{error:#}").replace('\n', "; ") })
        });
        if interrupt::requested() {
            bail!("interrupted");
        }
        Ok(Step { clients, served, outcome, seconds: start.elapsed().as_secs_f64() })
    }

    fn attempt(&self, clients: u64, processes: &mut Processes) -> Result<(u64, Outcome)> {
        let server = processes.start(&self.server(clients))?;
        let load = match self.load(clients, &server, processes) {
            Ok(load) => load,
            Err(error) => return Ok((0, Outcome::GeneratorLimit { what: format!("{error:#}") })),
        };
        let (ended, counters) = match server.end(self.longest) {
            Ok(end) => end,
            Err(error) => return Ok((0, Outcome::ServerDied { how: format!("{error:#}") })),
        };
        let objective = self.objective.as_ref();
        let evidence = Evidence { clients, load: &load, counters, server: &ended, objective };
        Ok((evidence.served(), evidence.outcome()))
    }

    fn load(&self, clients: u64, server: &Serving, processes: &Processes) -> Result<Load> {
        let line = self.load_line(clients, server);
        match processes.generator(&line)?.end(self.longest) {
            Ok(load) if load.status.success() => {
                Ok(Load::Found(Box::new(summary::read(&load.output)?)))
            }
            Ok(load) => Ok(Load::Failed(load)),
            Err(_) => Ok(Load::Hung),
        }
    }

    /// The server of a step.
    pub(super) fn server(&self, clients: u64) -> ServerPlan {
        let mut options = self.arguments();
        options.extend(["--idle-timeout", SILENCE].map(Into::into));
        if self.tables == Some(Tables::Auto) {
            options.extend(["--tables", "auto", "--clients"].map(Into::into));
            options.push(clients.to_string());
        }
        ServerPlan { options, ..ServerPlan::new(&self.model, self.app) }
    }

    /// The options of the server that are the same in all steps.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut options = self.options.clone();
        if let Some(Tables::Fixed(count)) = self.tables {
            options.extend(["--tables".into(), count.to_string()]);
        }
        options
    }

    fn load_line(&self, clients: u64, server: &Serving) -> Vec<String> {
        let target = format!("{}://{}", self.app.scheme(), server.address());
        let mut line = vec!["--target".to_owned(), target];
        let mut push = |name: &str, value: String| line.extend([name.to_owned(), value]);
        push("--connections", clients.to_string());
        push("--count", "1".into());
        push("--hold", span::flag(HOLD));
        push("--timeout", span::flag(self.patience));
        push("--connect-timeout", span::flag(self.patience));
        push("--watch", server.pid().to_string());
        push("--format", "json".into());
        push("--progress", "none".into());
        line
    }
}

impl FromStr for Tables {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.parse::<NonZeroU16>() {
            Ok(count) => Ok(Self::Fixed(count.get())),
            Err(_) if text == "auto" => Ok(Self::Auto),
            Err(_) => Err(format!("`{text}` is no number of tables; write 8, or auto")),
        }
    }
}
