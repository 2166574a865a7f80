//! The I/O models, one a file, and the table of them all.
//!
//! They are best read in the order of [`MODELS`], each beside the one before. Every head says four
//! things: what the kernel is handed, what a wait costs, what limits the model, and what to watch
//! in its code. What happens when a wait is over is the same for all of a family: see
//! [`crate::drive`].
//!
//! A new model is one file here and one line in [`MODELS`]: the command line, `servers list`, the
//! experiments, the tests and the reports take their models from this table.

mod epoll;
mod epoll_edge;
mod epoll_level;
mod epoll_oneshot;
mod iterative;
mod poll;
mod pool;
mod portable;
mod reactors;
mod select;
mod select_sharded;
mod select_wide;
mod thread;
mod uring;
mod wide_set;

use std::io;
use std::panic::resume_unwind;
use std::thread::{Builder, ScopedJoinHandle, scope};

use anyhow::bail;
use serde::Serialize;

use crate::apps::App;
use crate::control::{Control, Phase};
use crate::drive::poller::Trigger;
use crate::keeper::Keeper;
use crate::listener::Listener;

pub use epoll::{Edge, Epoll, Level, Oneshot};
pub use poll::Poll;
pub use portable::Portable;
pub use select::Select;
pub use select_wide::SelectWide;

/// One way of waiting for sockets.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name on the command line, in experiments and in reports.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// What a worker does while nothing happens.
    pub family: Family,
    /// How many clients it serves at once.
    pub at_once: AtOnce,
    /// How many workers it has when nobody says.
    pub workers: Workers,
    /// How many listening sockets it wants.
    pub listeners: Listeners,
    /// How many descriptor tables it has when nobody says, each with a copy of it.
    pub tables: u16,
    /// Serves the clients of these listeners until the server stops.
    pub serve: fn(&Site<'_>, Vec<Listener>) -> io::Result<()>,
}

impl Model {
    /// Whether it can be had on this host. Nothing else is put in its place: whoever measures it
    /// must not measure something else.
    ///
    /// # Errors
    /// When it cannot: why, and what to do about that.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.refusal() {
            None => Ok(()),
            Some(reason) => bail!("the model {} cannot be had: {reason}", self.name),
        }
    }

    /// Why it cannot be had on this host, and what to do about that; `None` when it can.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match self.family {
            Family::Completion => crate::drive::completion::refusal(),
            Family::Blocking | Family::Readiness(_) => None,
        }
    }
}

/// What a worker does while nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// It waits in a read, a write or an accept: for one client.
    Blocking,
    /// It waits for any of many sockets to be ready.
    Readiness(TriggerName),
    /// It waits until any of many reads, writes and accepts is done.
    Completion,
}

/// The trigger of a readiness model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerName {
    /// See [`Trigger::Level`].
    Level,
    /// See [`Trigger::Edge`].
    Edge,
    /// See [`Trigger::Oneshot`].
    Oneshot,
}

impl From<Trigger> for TriggerName {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Level => Self::Level,
            Trigger::Edge => Self::Edge,
            Trigger::Oneshot => Self::Oneshot,
        }
    }
}

/// How many clients a model serves at once. The others wait, and that is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "limit", rename_all = "kebab-case")]
pub enum AtOnce {
    /// One.
    One,
    /// As many as it has workers.
    Workers,
    /// Those with a descriptor below this number; the others are refused.
    Descriptors(i32),
    /// As many as the host has room for.
    Unlimited,
}

/// How many workers a model has when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "count", rename_all = "kebab-case")]
pub enum Workers {
    /// One, always.
    One,
    /// One for each connection.
    PerConnection,
    /// So many.
    Fixed(usize),
    /// One for each CPU that it may run on.
    PerCpu,
}

/// How many listening sockets a model wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listeners {
    /// One.
    One,
    /// One for each worker, on the same port.
    PerWorker,
}

/// What a model serves: what is done for clients, and by whom.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// What is done for them.
    pub app: &'a dyn App,
    /// What all workers share.
    pub control: &'a Control,
    /// The clock and the signals, for the first reactor to watch.
    pub keeper: &'a Keeper,
    /// How many workers there are to be in this copy.
    pub workers: usize,
    /// How many threads there may be that serve one client each.
    pub threads_max: usize,
    /// The stack of a thread that serves one client, in octets.
    pub stack_octets: usize,
}

/// All models, from the simplest on.
pub const MODELS: &[Model] = &[
    iterative::MODEL,
    thread::MODEL,
    pool::MODEL,
    select::MODEL,
    select_wide::MODEL,
    select_sharded::MODEL,
    poll::MODEL,
    epoll_level::MODEL,
    epoll_edge::MODEL,
    epoll_oneshot::MODEL,
    reactors::MODEL,
    portable::MODEL,
    uring::MODEL,
];

/// The model of that name.
#[must_use]
pub fn model(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

/// The names of all models.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|model| model.name)
}

/// Runs each worker in a thread of its own, the first one in this thread. If one cannot be had, the
/// others are not to serve either.
pub(crate) fn side_by_side<W: Send>(
    site: &Site<'_>,
    workers: Vec<W>,
    run: fn(W) -> io::Result<()>,
) -> io::Result<()> {
    let mut workers = workers.into_iter();
    let first = workers.next();
    beside(site, workers, run, || first.map_or(Ok(()), run))
}

/// Runs each worker in a thread of its own, and `here` in this thread. If one cannot be had, nobody
/// is to serve.
pub(crate) fn beside<W: Send>(
    site: &Site<'_>,
    mut workers: impl Iterator<Item = W>,
    run: fn(W) -> io::Result<()>,
    here: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    scope(|scope| {
        let mut others = Vec::new();
        let started = workers.try_for_each(|worker| {
            let other = Builder::new().spawn_scoped(scope, move || run(worker));
            others.push(other.map_err(no_thread)?);
            Ok(())
        });
        let served = started.and_then(|()| here());
        if served.is_err() {
            site.control.enter(Phase::Closing);
        }
        let others = join(others);
        served.and(others)
    })
}

fn no_thread(error: io::Error) -> io::Error {
    let words = format!("no thread for a worker (ulimit -u, or fewer --workers): {error}");
    io::Error::new(error.kind(), words)
}

/// Waits for all of them; says what the first one that failed said. A panic in one of them is a
/// fault of ours, and goes on here.
pub(crate) fn join(threads: Vec<ScopedJoinHandle<'_, io::Result<()>>>) -> io::Result<()> {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        .fold(Ok(()), Result::and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_name_of_its_own() {
        for name in names() {
            assert_eq!(names().filter(|&other| other == name).count(), 1, "{name}");
        }
    }
}
