//! Sockets and time: who sends when, and what becomes of each request.
//!
//! ```text
//!   connect ──▶ warm up ──▶ measure ──▶ drain
//!                         open       close
//! ```
//!
//! Each thread has its own epoll instance and its own share of the connections; while load is on,
//! threads share nothing but a pulse each, a line of counters. The phases are moments agreed on
//! beforehand, so no thread waits for another at their edges: the stamp of a reply says which phase
//! it belongs to.
//!
//! **What is in the measuring phase.** A request counts if it is out at any time between `open` and
//! `close`: those already out at `open` count as sent, those still out at `close` as outstanding.
//! So `sent = answered + failed + outstanding` is exact, the rate has no edge effects, and a
//! request that never has an answer can't fall through. Draining only lets the rest end in good
//! order.

mod alarm;
mod conductor;
mod dial;
mod gather;
mod hear;
mod interruption;
mod ledger;
mod notes;
mod outstanding;
mod pacer;
mod phases;
mod readiness;
mod shared;
mod slot;
mod stamps;
mod talk;
mod view;
mod worker;

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, Builder, ScopedJoinHandle};

use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::sys::prctl;
use nix::unistd::Pid;

use self::conductor::{Conductor, Measured};
use self::ledger::{Ledger, Report};
use self::shared::{Pulse, Signals, Timeline};
use self::view::View;
use self::worker::{Common, Lines, Worker, Yield};
use crate::agent::ClockWatch;
use crate::exchange::{Echo, Exchange, Fixed, Http};
use crate::failure::Failure;
use crate::memory::{Growth, Reading};
use crate::plan::{Plan, Stop, Tables, Work};
use crate::progress::Progress;
use crate::recorder::{Counts, Recorder};
use crate::records::Pen;
use crate::report::{Path, ThreadUse, Usage};
use crate::sources::Sources;
use crate::statistics::Slices;
use crate::usage::Meters;

pub use ledger::Witness;
pub use slot::Tally;

/// What a run found, before it is put into words.
#[derive(Debug)]
pub struct Found {
    /// What was recorded in the measuring phase.
    pub recorder: Recorder,
    /// What was counted before it.
    pub before: Counts,
    /// One for each active connection.
    pub tallies: Vec<Tally>,
    /// Active connections that were open when load began.
    pub established: u64,
    /// Slots that were given up.
    pub abandoned: u64,
    /// Silent connections that were open to the end.
    pub idle: u64,
    /// The length of the measuring phase.
    pub elapsed_ns: u64,
    /// What the load generator used in it.
    pub client: Usage,
    /// What the watched process used in it.
    pub server: Option<Usage>,
    /// Where the time of requests went, if stamps were asked for.
    pub path: Option<Path>,
    /// What memory was added from before the first connection to the end.
    pub memory: Growth,
    /// What each thread did in it.
    pub threads: Vec<ThreadUse>,
    /// Answers that came in it, to whichever request: the throughput.
    pub answers: u64,
    /// Replies in the whole run, right or not, from the first one to the end of draining.
    pub replies: u64,
    /// What the server says it has answered in the whole run, if it was asked.
    pub server_answered: Option<u64>,
    /// Active connections that were open at its end.
    pub alive: u64,
    /// The sum over all requests of the time for which they were out in it: divided by its length
    /// that is the mean number of requests in flight.
    pub in_flight_ns: u128,
    /// Requests that were out at its beginning or at its end.
    pub cut: u64,
    /// Its first sends, at most [`SENDS_KEPT`] of them, in nanoseconds since it began, in order.
    pub sends: Vec<u64>,
    /// Latencies by time.
    pub slices: Slices,
    /// Its full seconds.
    pub seconds: Vec<Second>,
    /// Requests that waited for a connection at once, at most, summed over the threads.
    pub queue_longest: u64,
    /// Whether a signal ended it before its time.
    pub interrupted: bool,
    /// Whether the wall clock was set while measuring, and by how much at most.
    pub clock_step_ns: u64,
}

/// How many send times are kept for a look at the gaps between them.
pub const SENDS_KEPT: usize = 131_072;

/// One second of the measuring phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were lost.
    pub failed: u64,
    /// The mean response time.
    pub mean_ns: f64,
    /// The median of the response times.
    pub p50_ns: u64,
    /// Their 99th percentile.
    pub p99_ns: u64,
    /// Their 99.9th percentile.
    pub p999_ns: u64,
    /// The longest of them.
    pub max_ns: u64,
}

/// Carries out a plan. `witness` sees each second of the measuring phase when it is over. `pens`,
/// one for each thread or none at all, write down every request.
///
/// # Errors
/// If no connection at all could be made, or the host refuses something the plan needs.
pub fn run(
    plan: &Plan,
    sources: &Sources,
    progress: &mut Progress,
    witness: &mut dyn Witness,
    pens: Vec<Pen>,
) -> Result<Found, Failure> {
    match &plan.work {
        Work::Echo(message) => drive(plan, &Echo::new(message), sources, progress, witness, pens),
        Work::Fixed(message, reply) => {
            drive(plan, &Fixed::new(message, reply), sources, progress, witness, pens)
        }
        Work::Http(request) => drive(plan, &Http::new(request), sources, progress, witness, pens),
    }
}

fn drive<E: Exchange>(
    plan: &Plan,
    exchange: &E,
    sources: &Sources,
    progress: &mut Progress,
    witness: &mut dyn Witness,
    pens: Vec<Pen>,
) -> Result<Found, Failure> {
    let pulses = (0..plan.threads).map(|_| Pulse::default()).collect();
    let signals = &Signals { pulses, stop: interruption::watch() };
    let common = &Common { plan, exchange, sources, signals };
    let meters = Meters::new(plan.watch)?;
    let mut watch = ClockWatch::begin();
    let memory = Reading::take(plan.watch);
    thread::scope(|scope| {
        let (reports, reported) = channel();
        let (mut orders, mut spares, mut threads) = (Vec::new(), Vec::new(), Vec::new());
        let mut pens = pens.into_iter();
        for which in 0..plan.threads {
            let pen = pens.next();
            let ((order, ordered), (spare, spared)) = (channel(), channel());
            let lines = Lines { reports: reports.clone(), spares: spared, pen };
            let life = move || live(common, which, lines, &ordered);
            threads.push(Builder::new().spawn_scoped(scope, life).map_err(no_thread)?);
            orders.push(order);
            spares.push(spare);
        }
        drop(reports);
        let (busy, ledger) = (plan.threads, Ledger::new(spares, witness));
        let conductor = Conductor {
            plan,
            signals,
            meters,
            memory,
            orders,
            reported,
            ledger,
            view: View::new(),
            busy,
        };
        let measured = conductor.conduct(progress)?;
        let yields: Result<Vec<_>, _> = threads.into_iter().map(ScopedJoinHandle::join).collect();
        let panicked = |_| Failure::Failed("a thread of loadgen panicked".to_owned());
        let irregular = (signals.stopped().is_some(), watch.look().unsigned_abs());
        unite(plan, yields.map_err(panicked)?, measured, irregular)
    })
}

fn no_thread(error: io::Error) -> Failure {
    Failure::Unfit(format!("no thread to be had: {error} (use fewer --threads)"))
}

/// The life of a thread: it does a part, reports it, and waits for the order for the next.
fn live<E: Exchange>(
    common: &Common<'_, E>,
    which: usize,
    lines: Lines,
    orders: &Receiver<Timeline>,
) -> Option<Yield> {
    let reports = lines.reports.clone();
    // A report that nobody takes, or an order that never comes, means that the run is off.
    let tell = |report| drop(reports.send(report));
    if let Err(failure) = own_table(common.plan.tables) {
        tell(Report::Ready(Err(failure)));
        return None;
    }
    let mut worker = match Worker::new(common, which, lines) {
        Ok(worker) => worker,
        Err(failure) => {
            tell(Report::Ready(Err(failure)));
            return None;
        }
    };
    prepare_thread(&worker);
    worker.connect();
    tell(Report::Ready(Ok(worker.established)));
    if let Ok(timeline) = orders.recv() {
        worker.drive(timeline);
        tell(Report::Done);
        let _ = orders.recv();
    }
    Some(worker.finish())
}

/// From here on the thread's descriptors are its own, if that is the plan.
fn own_table(tables: Tables) -> Result<(), Failure> {
    let outcome = match tables {
        Tables::Shared => Ok(()),
        Tables::Own => unshare(CloneFlags::CLONE_FILES),
    };
    outcome.map_err(|error| Failure::Unfit(format!("no descriptor table for a thread: {error}")))
}

/// Pins the thread, and lets its waits end within a microsecond in place of 50 (prctl(2)).
fn prepare_thread<E: Exchange>(worker: &Worker<'_, E>) {
    let _ = prctl::set_timerslack(1000);
    if let Some(&cpu) = worker.cpu() {
        let _ = pin(&[cpu]);
    }
}

/// Lets the calling thread, and those it starts later, run on these CPUs only.
///
/// # Errors
/// If there is none of that number, or this process may not use it.
pub fn pin(cpus: &[usize]) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    let outcome = cpus.iter().try_for_each(|&cpu| set.set(cpu));
    let outcome = outcome.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    outcome.map_err(|error| Failure::Unfit(format!("--cpus: can't run on {cpus:?}: {error}")))
}

/// Joins what the threads found.
fn unite(
    plan: &Plan,
    yields: Vec<Option<Yield>>,
    measured: Option<Measured<'_>>,
    (interrupted, clock_step_ns): (bool, u64),
) -> Result<Found, Failure> {
    let mut all = Yield::default();
    yields.into_iter().flatten().for_each(|one| all.merge(one));
    let Some(measured) = measured else {
        return Err(nothing_established(plan, &all));
    };
    let Measured { timeline, client, server, memory, mut ledger, reported } = measured;
    for report in reported.try_iter() {
        if let Report::Second { which, number, interval } = report {
            ledger.enter(which, number, interval);
        }
    }
    ledger.balance();
    let close = match plan.stop {
        Stop::After(_) => all.close,
        Stop::Each(_) => all.last_event,
    };
    let elapsed_ns = close.nanos_since(timeline.open);
    ledger.seconds.truncate((elapsed_ns / 1_000_000_000) as usize);
    all.sends.sort_unstable();
    all.sends.truncate(SENDS_KEPT);
    Ok(Found {
        elapsed_ns,
        recorder: Recorder { connect: all.connect, counts: all.counts, ..ledger.totals },
        before: all.before,
        tallies: all.tallies,
        established: all.established,
        abandoned: all.abandoned,
        idle: all.idle,
        client,
        server,
        path: all.path,
        memory,
        threads: all.threads,
        answers: all.answers,
        replies: all.replies,
        server_answered: None,
        alive: all.alive,
        in_flight_ns: all.in_flight_ns,
        cut: all.cut,
        sends: all.sends,
        slices: all.slices,
        seconds: ledger.seconds,
        queue_longest: all.queue_longest,
        interrupted,
        clock_step_ns,
    })
}

fn nothing_established(plan: &Plan, all: &Yield) -> Failure {
    let why = all.first_error.as_deref().unwrap_or("no reason was given");
    Failure::Failed(format!(
        "none of {} connections to {} could be made: {why} (is the server running?)",
        plan.connections, plan.target.given
    ))
}
