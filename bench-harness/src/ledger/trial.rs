//! One trial: a fresh server, idle clients that have each been answered once, three moments, and an
//! order of stopping that leaves nothing behind.
//!
//! The load generator goes first. A server that goes first leaves each client with an unread end of
//! its connection, and each of its own sockets waiting for an answer to it.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result};
use loadgen::report::Summary;

use super::account::Account;
use super::moment::{Moment, Role};
use super::settle::until_held;
use crate::experiment::App;
use crate::experiment::model::{AtOnce, Model};
use crate::launch::child::Child;
use crate::launch::pinning::Pinning;
use crate::launch::process::Binaries;
use crate::launch::summary;
use crate::restraint::{self, SignalStacks};

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the load generator may take to close everything and to print.
const CLOSE: Duration = Duration::from_secs(60);
/// No time-out ends an idle connection while it is looked at.
const IDLE: &str = "2h";
/// How long one connection may take, and one answer.
const PATIENCE: &str = "60s";

/// What is to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The I/O model.
    pub model: String,
    /// What the server speaks.
    pub app: App,
    /// Idle connections.
    pub connections: u64,
    /// Octets of a thread's stack; `None` leaves it to the server.
    pub stack: Option<u64>,
    /// What happens when a thread's stack overflows.
    pub overflow: Overflow,
}

/// Who handles the overflow of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Rust's run time, on a stack for signals that it gives each thread: two more mappings.
    Handled,
    /// Nobody: SIGSEGV and SIGBUS were ignored when the program started, and so the run time leaves
    /// them alone.
    Ignored,
}

impl Overflow {
    fn signal_stacks(self) -> SignalStacks {
        match self {
            Self::Handled => SignalStacks::Kept,
            Self::Ignored => SignalStacks::Avoided,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Ignored => "ignored",
        }
    }
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All connections were held, and each client had its answer.
    Held,
    /// It was not tried: the model does not serve so many at once.
    Beyond,
    /// Some clients had no answer.
    Incomplete,
    /// It could not be made.
    Failed,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Beyond => "beyond",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

/// The record of a trial.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was asked for.
    pub hold: Hold,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Held`].
    pub reason: String,
    /// What was found; only for [`Outcome::Held`].
    pub found: Option<Found>,
    /// Of so many trials, the one with the least unexplained: other programs disturbed the others.
    pub attempts: u32,
}

/// What a trial found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The server without clients.
    pub base: Account,
    /// What the connections added.
    pub account: Account,
    /// The server without clients, and with them.
    pub server: (Role, Role),
    /// What the host still had less of after all had ended, in octets: slabs that the kernel keeps.
    pub left: i64,
}

/// Where trials are made.
#[derive(Debug)]
pub struct Site {
    /// The programs.
    pub binaries: Binaries,
    /// The CPUs.
    pub pinning: Pinning,
    /// How long memory may take to settle.
    pub patience: Duration,
    /// Who makes memory cgroups, and removes them whatever happens. Each process gets one of its
    /// own.
    pub counting: RefCell<restraint::Hold>,
}

/// Whether the model says of itself that it can't hold so many.
#[must_use]
pub fn beyond(model: &Model, connections: u64) -> Option<String> {
    let (most, why) = match model.at_once {
        // As many tables as it takes.
        _ if model.tables > 1 => return None,
        AtOnce::One => (1, "the others wait for it to go"),
        AtOnce::Workers { limit } => {
            (limit.or(model.workers.count)?, "one for each worker; the others wait")
        }
        AtOnce::Descriptors { limit } => (limit?, "descriptors from there on are refused"),
        AtOnce::Unlimited => return None,
    };
    (connections > most).then(|| format!("{} serves {most} at once: {why}", model.name))
}

impl Site {
    /// Makes a trial. It never fails: what goes wrong is in the record.
    #[must_use]
    pub fn hold(&self, hold: Hold) -> Held {
        match self.measure(&hold) {
            Ok(Ok(found)) => Held {
                hold,
                outcome: Outcome::Held,
                reason: String::new(),
                found: Some(found),
                attempts: 1,
            },
            Ok(Err(reason)) => {
                Held { hold, outcome: Outcome::Incomplete, reason, found: None, attempts: 1 }
            }
            Err(error) => {
                let reason = format!("{error:#}");
                Held { hold, outcome: Outcome::Failed, reason, found: None, attempts: 1 }
            }
        }
    }

    /// The inner result says which clients had no answer.
    fn measure(&self, hold: &Hold) -> Result<Result<Found, String>> {
        let look = |server: Option<&Child>, client: Option<&Child>| {
            Moment::settled(server, client, self.patience)
        };
        let bare = look(None, None)?;
        let (mut serving, address) = self.serve(hold)?;
        let idle = look(Some(&serving), None)?;
        let mut load = self.load(hold, &address)?;
        until_held(hold.connections, &load)?;
        let full = look(Some(&serving), Some(&load))?;
        let answered = stop_load(&mut load)?;
        drop(load);
        serving.terminate().context("the server failed")?;
        serving.finish(DRAIN).context("the server failed")?;
        drop(serving);
        let after = look(None, None)?;
        Ok(missing(&answered).map_or_else(|| Ok(found(hold, [bare, idle, full, after])), Err))
    }

    fn serve(&self, hold: &Hold) -> Result<(Child, String)> {
        let line = server_line(hold);
        let bonds = self.counting.borrow_mut().counting_bonds(hold.overflow.signal_stacks());
        let server = &self.binaries.servers;
        let mut child = Child::bound(server, &line, &self.pinning.server, bonds)?;
        let said = child.line(START).context("the server did not start")?;
        let address = said.strip_prefix("listening ").map(ToOwned::to_owned);
        let address = address
            .with_context(|| format!("`servers` began with `{said}`, not with its address"))?;
        Ok((child, address))
    }

    fn load(&self, hold: &Hold, address: &str) -> Result<Child> {
        let bonds = self.counting.borrow_mut().counting_bonds(SignalStacks::Kept);
        let line = client_line(hold, address);
        Child::bound(&self.binaries.loadgen, &line, &self.pinning.client, bonds)
    }
}

fn found(hold: &Hold, [bare, idle, full, after]: [Moment; 4]) -> Found {
    Found {
        base: Account::between(&bare, &idle, 0),
        account: Account::between(&idle, &full, hold.connections),
        server: (idle.server, full.server),
        left: Account::between(&bare, &after, 0).total,
    }
}

fn server_line(hold: &Hold) -> Vec<String> {
    let Hold { model, app, connections, stack, .. } = hold;
    let mut line = vec!["run".to_owned()];
    let mut push = |name: &str, value: String| line.extend([name.to_owned(), value]);
    push("--model", model.clone());
    push("--app", app.to_string());
    push("--listen", "127.0.0.1:0".into());
    push("--idle-timeout", IDLE.into());
    if let Some(octets) = stack {
        push("--stack", octets.to_string());
    }
    // As many as there are anyway, where that is enough. A server that has no room says why.
    push("--tables", "auto".into());
    push("--clients", connections.to_string());
    line
}

fn client_line(hold: &Hold, address: &str) -> Vec<String> {
    let target = format!("{}://{address}", hold.app.scheme());
    let connections = hold.connections.to_string();
    let line = [
        "--target",
        &target,
        "--connections",
        &connections,
        "--count",
        "1",
        "--hold",
        IDLE,
        "--timeout",
        PATIENCE,
        "--connect-timeout",
        PATIENCE,
        "--format",
        "json",
        "--progress",
        "none",
    ];
    line.map(ToOwned::to_owned).into()
}

/// Ends the load generator and reads what it prints. It calls itself interrupted, with a status
/// that is not 0.
fn stop_load(load: &mut Child) -> Result<Summary> {
    load.terminate().context("the load generator failed")?;
    let ended = load.end(CLOSE)?;
    summary::read(&ended.output).with_context(|| format!("loadgen: {}", ended.words))
}

/// What is missing for a trial to count.
fn missing(summary: &Summary) -> Option<String> {
    let (asked, served) = (summary.connections.asked, summary.connections.served);
    if served == asked && summary.requests.answered >= asked {
        return None;
    }
    let errors = serde_json::to_value(summary.errors).unwrap_or_default();
    let errors = errors.as_object().into_iter().flatten().filter(|(_, count)| **count != 0);
    let errors: Vec<_> = errors.map(|(class, count)| format!("{class} {count}")).collect();
    let errors = if errors.is_empty() { "no error".into() } else { errors.join(", ") };
    Some(format!("{served} of {asked} clients had an answer; {errors}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(connections: u64) -> Hold {
        let (model, overflow) = ("thread".to_owned(), Overflow::Handled);
        Hold { model, app: App::Echo, connections, stack: Some(16_384), overflow }
    }

    #[test]
    fn the_server_takes_as_many_tables_as_the_clients_need() {
        let line = server_line(&hold(20_000)).join(" ");
        assert!(line.ends_with("--stack 16384 --tables auto --clients 20000"), "{line}");
    }

    #[test]
    fn what_a_model_says_of_itself_is_believed() {
        let model = |json: &str| serde_json::from_str::<Model>(json).unwrap();
        let pool = model(
            r#"{"name":"pool","at_once":{"kind":"workers"},"workers":{"kind":"fixed","count":10}}"#,
        );
        assert_eq!(beyond(&pool, 10), None);
        assert!(beyond(&pool, 11).unwrap().contains("pool serves 10 at once"));
        assert_eq!(beyond(&model(r#"{"name":"epoll"}"#), 1_000_000), None);
    }

    #[test]
    fn a_client_without_an_answer_is_missing() {
        let mut summary = Summary::default();
        summary.connections.asked = 10;
        summary.connections.served = 9;
        summary.errors.closed = 1;
        assert_eq!(missing(&summary).unwrap(), "9 of 10 clients had an answer; closed 1");
        summary.connections.served = 10;
        summary.requests.answered = 10;
        assert_eq!(missing(&summary), None);
    }
}
