//! What a wait costs: `servers time-waits`.
//!
//! Each poller of the models waits, through the same [`Poller`] trait, on real TCP connections of
//! which
//! `idle` say nothing and `active` are ready. Timed is the wait alone, and every wait finds
//! something ready: what it costs to fall asleep and to be woken is not measured here.
//!
//! ```text
//! waits ── bed ──┬── far      the peers of watched connections, in a table of their own
//!   │            ├── sitters  idle connections beyond one table, for pollers that can watch them
//!   │            └── room     how many there may be
//!   ├── order                 a random order of conditions in each pass
//!   └── sample ── row         many rounds in a few numbers, and those in a line
//! ```

mod annex;
mod bed;
mod dial;
mod far;
mod options;
mod order;
mod room;
mod row;
mod sample;
mod sitters;

use std::io::{self, Write};

use anyhow::bail;

pub use bed::{Bed, Round};
pub use options::TimeWaits;
pub use room::{Reach, Skip};
pub use row::{Format, Row};
pub use sample::{Effort, Sample, clock_ns};

use crate::drive::poller::Poller;
use crate::models::{Edge, Epoll, Level, Oneshot, Poll, Portable, Select, SelectWide};
use order::Shuffler;
use row::Writer;

/// The most active connections: what one wait of the epoll models brings.
pub const ACTIVE_MAX: usize = 256;

/// A poller whose waits can be timed.
#[derive(Debug)]
pub struct Waiter {
    /// Its name: that of the model with one thread that uses it.
    pub name: &'static str,
    /// Where its descriptors may be.
    reach: Reach,
    measure: fn(&Self, &TimeWaits, &mut Take<'_>) -> anyhow::Result<()>,
}

/// What takes a row.
type Take<'a> = dyn FnMut(Row) -> anyhow::Result<()> + 'a;

/// The pollers.
pub static WAITERS: [Waiter; 7] = [
    Waiter { name: "select", reach: Reach::OneTable, measure: measure::<Select> },
    Waiter { name: "select-wide", reach: Reach::OneTable, measure: measure::<SelectWide> },
    Waiter { name: "poll", reach: Reach::OneTable, measure: measure::<Poll> },
    Waiter { name: "epoll-level", reach: Reach::AnyTable, measure: measure::<Epoll<Level>> },
    Waiter { name: "epoll-edge", reach: Reach::AnyTable, measure: measure::<Epoll<Edge>> },
    Waiter { name: "epoll-oneshot", reach: Reach::AnyTable, measure: measure::<Epoll<Oneshot>> },
    Waiter { name: "portable", reach: Reach::AnyTable, measure: measure::<Portable> },
];

/// The poller of that name.
#[must_use]
pub fn waiter(name: &str) -> Option<&'static Waiter> {
    WAITERS.iter().find(|waiter| waiter.name == name)
}

/// Runs the sub-command.
///
/// # Errors
/// When the kernel refuses connections, when a poller reports what it should not, and when `out`
/// takes no more.
pub fn run(options: &TimeWaits, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(waiter) = options.poller.filter(|_| !options.list) else { return Ok(list(out)?) };
    let (most, limit) = (options.idle.iter().max().copied().unwrap_or(0), options.idle_max);
    if most > limit {
        bail!("{most} idle connections are more than --idle-max {limit}; raise that to have them");
    }
    let mut writer = Writer::new(out, options.format);
    (waiter.measure)(waiter, options, &mut |row| writer.put(row))?;
    writer.finish()
}

fn list(out: &mut impl Write) -> io::Result<()> {
    WAITERS.iter().try_for_each(|waiter| writeln!(out, "{}", waiter.name))
}

#[derive(Clone, Copy)]
struct Condition {
    idle: usize,
    active: usize,
}

fn measure<P: Poller + Send + 'static>(
    waiter: &Waiter,
    options: &TimeWaits,
    take: &mut Take<'_>,
) -> anyhow::Result<()> {
    let most = |counts: &[usize]| counts.iter().max().copied().unwrap_or(0);
    let watched = most(&options.idle) + most(&options.active);
    let mut bed = Bed::<P>::new(watched, waiter.reach)?;
    let mut conditions = possible(&bed, waiter, options, take)?;
    let shuffler = Shuffler::new(options.seed);
    for pass in 1..=options.passes {
        shuffler.shuffle(&mut conditions);
        let clock_ns = clock_ns();
        for (place, &Condition { idle, active }) in (1..).zip(&conditions) {
            let row = Row { poller: waiter.name, pass, place, idle, active, ..Row::default() };
            take(timed(&mut bed, row, clock_ns, options)?)?;
        }
    }
    Ok(())
}

/// The conditions that the bed has the connections for; there is a row for each of the others.
fn possible<P: Poller + Send + 'static>(
    bed: &Bed<P>,
    waiter: &Waiter,
    options: &TimeWaits,
    take: &mut Take<'_>,
) -> anyhow::Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for &idle in &options.idle {
        for &active in &options.active {
            let row = Row { poller: waiter.name, idle, active, ..Row::default() };
            match bed.holds(idle + active) {
                Ok(()) => conditions.push(Condition { idle, active }),
                Err(skip) => take(row.without(skip))?,
            }
        }
    }
    Ok(conditions)
}

fn timed<P: Poller + Send + 'static>(
    bed: &mut Bed<P>,
    row: Row,
    clock_ns: f64,
    options: &TimeWaits,
) -> anyhow::Result<Row> {
    bed.arrange(row.idle, row.active)?;
    let effort = Effort { rounds: options.rounds as usize, budget: options.budget };
    let sample = Sample::take(bed, row.active, clock_ns, effort)?;
    let row = Row {
        clock_ns: Some(clock_ns),
        highest_fd: Some(bed.highest()),
        tables: Some(bed.tables()),
        ..row
    };
    Ok(row.with(&sample))
}
