//! One thread: its connections, and what it knows.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::iter;
use std::sync::mpsc::{Receiver, Sender};

use wire::Buffer;

use super::SENDS_KEPT;
use super::alarm::Alarm;
use super::gather::Gather;
use super::ledger::Report;
use super::pacer::Pacer;
use super::phases::Wait;
use super::readiness::Readiness;
use super::shared::{self, Signals, Timeline};
use super::slot::{Role, Slot, State, Tally};
use super::stamps::Stamps;
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::plan::{Load, Plan, Stop};
use crate::recorder::{Counts, Interval, Times};
use crate::records::Pen;
use crate::report::{Path, ThreadUse};
use crate::sources::Sources;
use crate::statistics::Slices;
use crate::usage::ThreadClock;

/// Room for what one read takes. Nearly all replies fit, so that one read is enough for them.
const INPUT_OCTETS: usize = 256 * 1024;

/// What all threads of a run share.
pub(crate) struct Common<'a, E> {
    pub(crate) plan: &'a Plan,
    pub(crate) exchange: &'a E,
    pub(crate) sources: &'a Sources,
    pub(crate) signals: &'a Signals,
}

/// A thread's lines to the main thread.
pub(crate) struct Lines {
    pub(crate) reports: Sender<Report>,
    /// Intervals that were read and can be used again.
    pub(crate) spares: Receiver<Box<Interval>>,
    /// For a log of every request.
    pub(crate) pen: Option<Pen>,
}

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    WarmUp,
    Measuring,
    Draining,
}

/// One thread of the load generator.
pub(crate) struct Worker<'a, E: Exchange> {
    pub(super) common: &'a Common<'a, E>,
    pub(super) which: usize,
    pub(super) lines: Lines,
    pub(super) phase: Phase,
    pub(super) timeline: Timeline,
    /// When there is next something to do about the phases: a new one, or the end of a second.
    pub(super) edge: Moment,
    /// When the present second of the measuring phase is over, and its number.
    pub(super) second_end: Moment,
    pub(super) second: u64,
    /// The last look at the clock.
    pub(super) now: Moment,
    pub(super) slots: Vec<Slot<E::Dialogue>>,
    /// Active slots that are not over.
    pub(super) unfinished: usize,
    /// Requests that are out.
    pub(super) in_flight: u64,
    /// The sum over all requests of the time for which they were out, up to `in_flight_since`.
    pub(super) in_flight_ns: u64,
    pub(super) in_flight_since: Moment,
    /// Requests that were out when measuring began or ended.
    pub(super) cut: u64,
    /// Requests that are out on connections that had an answer before, so that the server is at it.
    pub(super) expected: u64,
    /// Slots to be dialled as soon as fewer than the limit are being dialled.
    pub(super) waiting: VecDeque<u32>,
    /// Slots to be dialled at a later time.
    pub(super) retries: BinaryHeap<Reverse<(Moment, u32)>>,
    /// Closed loop with think time: slots, and generations of them, that send at that moment.
    pub(super) thinking: BinaryHeap<Reverse<(Moment, u32, u32)>>,
    /// Open loop: what is to be sent when.
    pub(super) pacer: Option<Pacer>,
    pub(super) alarm: Alarm,
    pub(super) dialling: usize,
    pub(super) readiness: Readiness,
    pub(super) gather: Gather,
    pub(super) input: Buffer,
    pub(super) interval: Box<Interval>,
    pub(super) connect: Times,
    pub(super) counts: Counts,
    /// What was counted before measuring began.
    pub(super) before: Counts,
    /// Answers in the measuring phase, whichever request they belong to.
    pub(super) answers: u64,
    /// Replies in the whole run.
    pub(super) replies: u64,
    pub(super) slices: Slices,
    /// The first sends of the measuring phase, in nanoseconds since it began.
    pub(super) sends: Vec<u64>,
    pub(super) last_answer: Moment,
    /// When a request last ended, well or badly.
    pub(super) last_event: Moment,
    pub(super) next_sweep: Moment,
    pub(super) first_error: Option<String>,
    pub(super) established: u64,
    /// Active connections at the end of the measuring phase.
    pub(super) alive: u64,
    pub(super) spun_ns: u64,
    /// Stamps of the kernel, if they are asked for.
    pub(super) stamps: Option<Stamps>,
    pub(super) clock: ThreadClock,
    pub(super) used: ThreadUse,
}

/// What one thread found, apart from times, which it hands over each second.
#[derive(Debug, Default)]
pub(crate) struct Yield {
    pub(crate) connect: Times,
    pub(crate) counts: Counts,
    /// What was counted before measuring began.
    pub(crate) before: Counts,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) established: u64,
    pub(crate) abandoned: u64,
    pub(crate) alive: u64,
    pub(crate) idle: u64,
    pub(crate) answers: u64,
    pub(crate) replies: u64,
    pub(crate) in_flight_ns: u128,
    pub(crate) cut: u64,
    pub(crate) queue_longest: u64,
    pub(crate) slices: Slices,
    pub(crate) sends: Vec<u64>,
    pub(crate) threads: Vec<ThreadUse>,
    pub(crate) path: Option<Path>,
    pub(crate) first_error: Option<String>,
    /// When the last request ended.
    pub(crate) last_event: Moment,
    /// When measuring ended.
    pub(crate) close: Moment,
}

impl<'a, E: Exchange> Worker<'a, E> {
    /// Makes ready all that can fail for want of a descriptor.
    pub(crate) fn new(
        common: &'a Common<'a, E>,
        which: usize,
        lines: Lines,
    ) -> Result<Self, Failure> {
        let plan = common.plan;
        let slots = slots(plan, which);
        let readiness = Readiness::new()
            .map_err(|error| Failure::Unfit(format!("no epoll instance to be had: {error}")))?;
        let now = Moment::now();
        let kept = match plan.load {
            Load::Closed(_) => 0,
            Load::Open(_) => SENDS_KEPT / plan.threads,
        };
        Ok(Self {
            which,
            lines,
            phase: Phase::Connecting,
            timeline: Timeline::new(plan, now),
            edge: Moment::NEVER,
            second_end: Moment::NEVER,
            second: 0,
            now,
            unfinished: shared::share(plan.connections, plan.threads, which),
            in_flight: 0,
            in_flight_ns: 0,
            in_flight_since: now,
            cut: 0,
            expected: 0,
            waiting: (0..slots.len() as u32).collect(),
            retries: BinaryHeap::new(),
            thinking: BinaryHeap::new(),
            pacer: None,
            alarm: Alarm::default(),
            dialling: 0,
            readiness,
            gather: Gather::new(plan.coalesce),
            input: Buffer::new(INPUT_OCTETS),
            interval: Box::default(),
            connect: Times::default(),
            counts: Counts::default(),
            before: Counts::default(),
            answers: 0,
            replies: 0,
            slices: Slices::new(length_of(plan)),
            sends: Vec::with_capacity(kept),
            last_answer: Moment::default(),
            last_event: Moment::default(),
            next_sweep: now,
            first_error: None,
            established: 0,
            alive: 0,
            spun_ns: 0,
            stamps: plan.stamps.then(|| Stamps::new(slots.len())),
            clock: ThreadClock::default(),
            used: ThreadUse::default(),
            slots,
            common,
        })
    }

    /// Opens all connections: the silent ones, then the active ones.
    pub(crate) fn connect(&mut self) {
        self.now = Moment::now();
        while (self.dialling > 0 || !self.waiting.is_empty()) && !self.is_stopped() {
            self.turn_once(Wait::ForDuty);
        }
        self.established =
            self.slots.iter().filter(|slot| slot.is_idle(Role::Active)).count() as u64;
    }

    /// Closes every connection and gives back what was found.
    pub(crate) fn finish(mut self) -> Yield {
        let now = Moment::now();
        let idle = self.slots.iter().filter(|slot| slot.is_idle(Role::Silent)).count() as u64;
        let abandoned = self.slots.iter().filter(|slot| slot.state == State::Abandoned).count();
        self.hand_over();
        if !self.common.plan.hold.is_zero() {
            self.alive = self.slots.iter().filter(|slot| slot.has_been_held()).count() as u64;
        }
        for slot in &mut self.slots {
            slot.close(State::Finished, now);
        }
        let active = self.slots.iter().filter(|slot| slot.role == Role::Active);
        Yield {
            tallies: active.map(|slot| slot.tally).collect(),
            connect: self.connect,
            counts: self.counts,
            before: self.before,
            established: self.established,
            abandoned: abandoned as u64,
            alive: self.alive,
            idle,
            answers: self.answers,
            replies: self.replies,
            in_flight_ns: u128::from(self.in_flight_ns),
            cut: self.cut,
            queue_longest: self.pacer.map_or(0, |pacer| pacer.longest),
            slices: self.slices,
            sends: self.sends,
            threads: vec![self.used],
            path: self.stamps.map(Stamps::path),
            first_error: self.first_error,
            last_event: self.last_event,
            close: self.timeline.close,
        }
    }

    /// The CPU this thread has to run on.
    pub(crate) fn cpu(&self) -> Option<&usize> {
        self.common.plan.cpus.iter().cycle().nth(self.which)
    }

    /// A number that no other slot of the run has.
    pub(super) fn identity(&self, index: usize) -> u64 {
        (index * self.common.plan.threads + self.which) as u64
    }
}

/// The length of the measuring phase, if it is known.
fn length_of(plan: &Plan) -> Option<u64> {
    match plan.stop {
        Stop::After(length) => u64::try_from(length.as_nanos()).ok(),
        Stop::Each(_) => None,
    }
}

/// The slots of one thread: the silent ones first, for they are opened first.
fn slots<D: Default>(plan: &Plan, which: usize) -> Vec<Slot<D>> {
    let silent = shared::share(plan.idle, plan.threads, which);
    let active = shared::share(plan.connections, plan.threads, which);
    let roles = iter::repeat_n(Role::Silent, silent).chain(iter::repeat_n(Role::Active, active));
    roles.map(Slot::new).collect()
}

impl Yield {
    /// Adds what another thread found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.connect.merge(&other.connect);
        self.counts.merge(&other.counts);
        self.before.merge(&other.before);
        self.tallies.extend(other.tallies);
        self.established += other.established;
        self.abandoned += other.abandoned;
        self.alive += other.alive;
        self.idle += other.idle;
        self.answers += other.answers;
        self.replies += other.replies;
        self.in_flight_ns += other.in_flight_ns;
        self.cut += other.cut;
        self.queue_longest += other.queue_longest;
        self.slices.merge(&other.slices);
        self.sends.extend(other.sends);
        self.threads.extend(other.threads);
        if let Some(path) = &other.path {
            self.path.get_or_insert_default().merge(path);
        }
        self.first_error = self.first_error.take().or(other.first_error);
        self.last_event = self.last_event.max(other.last_event);
        self.close = self.close.max(other.close);
    }
}
