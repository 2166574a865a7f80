//! `servers demonstrate triggers`: whom epoll tells what, and what it never tells again.
//!
//! Each case is a socket in a certain state, a trigger, and a habit of answering a wake-up: one
//! call, calls until one finds nothing, or none. What comes is counted: wake-ups, calls in vain,
//! and what still waits in the socket when nobody is told of it any more. Some habits suit a
//! trigger and some don't; epoll(7), "Level-triggered and edge-triggered", says why.
//!
//! A case begins when the kernel has everything that the peer has sent, which is asked of the
//! socket itself; so a wait that brings nothing is one that would never bring anything.

mod cases;
mod habit;
mod inbox;
mod outbox;
mod pair;
mod queue;
mod report;
mod watch;
mod workers;

use std::io::Write;
use std::thread;

use anyhow::{Context, anyhow};
use serde::Serialize;

use crate::cli::Triggers;
use cases::{CASES, Case};
use report::Row;

/// What was seen of a case.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Seen {
    /// Calls of epoll_wait(2).
    waits: u32,
    /// Those of them that brought something.
    wakeups: u32,
    /// Calls of accept(2), read(2) and write(2) that found nothing to take, or no room.
    in_vain: u32,
    /// What waits in the socket, or for it, and nobody is told.
    left: u64,
    /// Of what.
    unit: Unit,
}

impl Seen {
    /// Takes note of a wait that did, or did not, bring something.
    fn waited(&mut self, woken: bool) -> bool {
        self.waits += 1;
        self.wakeups += u32::from(woken);
        woken
    }
}

/// What a socket holds, or could.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    /// That nobody has accepted.
    Connections,
    /// That nobody has read, or written.
    #[default]
    Octets,
}

/// Tries all cases and says what came of them.
///
/// # Errors
/// When there is no loopback interface to try them on, or when `out` does not take the report.
pub(super) fn run(out: &mut impl Write, asked: &Triggers) -> anyhow::Result<()> {
    report::write(out, asked.format, &try_all()?)
}

/// Each in a thread of its own, all at the same time: most of a case is waiting for nothing.
fn try_all() -> anyhow::Result<Vec<Row>> {
    thread::scope(|scope| {
        let threads = CASES.iter().map(|case| scope.spawn(|| case.row())).collect::<Vec<_>>();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|row| row.unwrap_or_else(|_| Err(anyhow!("a case has panicked")))).collect()
    })
}

impl Case {
    fn row(&self) -> anyhow::Result<Row> {
        let Self { socket, asked, deed, play, why } = *self;
        let seen = play(asked);
        let seen = seen.with_context(|| format!("cannot try: {socket}, {asked}, {deed}"))?;
        Ok(Row { socket, trigger: asked.to_string(), deed, seen, why })
    }
}
