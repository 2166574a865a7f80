//! One thread: its connections, its phases, and the loop that drives them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::iter;
use std::time::Duration;

use wire::Buffer;

use super::gather::Gather;
use super::readiness::Readiness;
use super::shared::{self, Pulse, Timeline};
use super::slot::{Role, Slot, State, Tally};
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::plan::{Plan, Stop};
use crate::recorder::{Counts, Recorder};
use crate::sources::Sources;

/// Room for what one read takes. Nearly all replies fit, so that one read is enough for them.
const INPUT_OCTETS: usize = 256 * 1024;

/// How often overdue requests are looked for: 16 times in their patience, at least this often.
const SWEEP_AT_LEAST: Duration = Duration::from_millis(250);

/// What all threads of a run share.
pub(crate) struct Common<'a, E> {
    pub(crate) plan: &'a Plan,
    pub(crate) exchange: &'a E,
    pub(crate) sources: &'a Sources,
    pub(crate) pulses: &'a [Pulse],
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
    pub(super) phase: Phase,
    /// When the next phase begins.
    pub(super) edge: Moment,
    pub(super) timeline: Timeline,
    /// The last look at the clock.
    pub(super) now: Moment,
    pub(super) slots: Vec<Slot<E::Dialogue>>,
    /// Active slots that are not over.
    pub(super) unfinished: usize,
    /// Requests that are out.
    pub(super) in_flight: u64,
    /// Those of them whose connection has had an answer before, so that the server is at it.
    pub(super) expected: u64,
    /// Slots to be dialled as soon as fewer than the limit are being dialled.
    pub(super) waiting: VecDeque<u32>,
    /// Slots to be dialled at a later time.
    pub(super) retries: BinaryHeap<Reverse<(Moment, u32)>>,
    pub(super) dialling: usize,
    pub(super) readiness: Readiness,
    pub(super) gather: Gather,
    pub(super) input: Buffer,
    pub(super) recorder: Recorder,
    pub(super) last_answer: Moment,
    /// When a request last ended, well or badly.
    pub(super) last_event: Moment,
    pub(super) next_sweep: Moment,
    pub(super) first_error: Option<String>,
    pub(super) established: u64,
    before: Counts,
}

/// What one thread found.
#[derive(Debug, Default)]
pub(crate) struct Yield {
    pub(crate) recorder: Recorder,
    /// What was counted before measuring began.
    pub(crate) before: Counts,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) established: u64,
    pub(crate) abandoned: u64,
    pub(crate) idle: u64,
    pub(crate) first_error: Option<String>,
    /// When the last request ended.
    pub(crate) last_event: Moment,
}

impl<'a, E: Exchange> Worker<'a, E> {
    /// Makes ready all that can fail for want of a descriptor.
    pub(crate) fn new(common: &'a Common<'a, E>, which: usize) -> Result<Self, Failure> {
        let plan = common.plan;
        let slots = slots(plan, which);
        let readiness = Readiness::new()
            .map_err(|error| Failure::Unfit(format!("no epoll instance to be had: {error}")))?;
        let now = Moment::now();
        Ok(Self {
            which,
            phase: Phase::Connecting,
            edge: Moment::NEVER,
            timeline: Timeline::new(plan, now),
            now,
            unfinished: shared::share(plan.connections, plan.threads, which),
            in_flight: 0,
            expected: 0,
            waiting: (0..slots.len() as u32).collect(),
            retries: BinaryHeap::new(),
            dialling: 0,
            readiness,
            gather: Gather::new(plan.coalesce),
            input: Buffer::new(INPUT_OCTETS),
            recorder: Recorder::default(),
            last_answer: Moment::default(),
            last_event: Moment::default(),
            next_sweep: now,
            first_error: None,
            established: 0,
            before: Counts::default(),
            slots,
            common,
        })
    }

    /// Opens all connections: the silent ones, then the active ones.
    pub(crate) fn connect(&mut self) {
        self.now = Moment::now();
        while self.dialling > 0 || !self.waiting.is_empty() {
            self.turn_once();
        }
        self.established =
            self.slots.iter().filter(|slot| slot.is_idle(Role::Active)).count() as u64;
    }

    /// Puts the target under load, to the end of the run.
    pub(crate) fn drive(&mut self, timeline: Timeline) {
        self.timeline = timeline;
        self.phase = Phase::WarmUp;
        self.edge = timeline.open;
        self.now = Moment::now();
        self.turn_phase();
        self.ask_all();
        while !self.is_over() {
            self.turn_once();
        }
        self.publish();
    }

    /// Sends the first request on every connection that is there. In a large crowd that takes a
    /// while, which must not count as latency of the last ones: each has its own look at the clock.
    fn ask_all(&mut self) {
        for index in 0..self.slots.len() {
            self.look_at_clock();
            if self.slots[index].is_idle(Role::Active) && self.phase != Phase::Draining {
                self.ask(index);
            }
        }
    }

    /// Closes every connection and gives back what was found.
    pub(crate) fn finish(mut self) -> Yield {
        let now = Moment::now();
        let idle = self.slots.iter().filter(|slot| slot.is_idle(Role::Silent)).count() as u64;
        let abandoned = self.slots.iter().filter(|slot| slot.state == State::Abandoned).count();
        for slot in &mut self.slots {
            slot.close(State::Finished, now);
        }
        let active = self.slots.iter().filter(|slot| slot.role == Role::Active);
        Yield {
            tallies: active.map(|slot| slot.tally).collect(),
            recorder: self.recorder,
            before: self.before,
            established: self.established,
            abandoned: abandoned as u64,
            idle,
            first_error: self.first_error,
            last_event: self.last_event,
        }
    }

    /// The CPU this thread has to run on.
    pub(crate) fn cpu(&self) -> Option<&usize> {
        self.common.plan.cpus.iter().cycle().nth(self.which)
    }

    fn is_over(&self) -> bool {
        match (self.phase, self.common.plan.stop) {
            (Phase::Draining, _) => self.in_flight == 0 || self.now >= self.edge,
            (_, Stop::Each(_)) => self.unfinished == 0,
            (_, Stop::After(_)) => false,
        }
    }

    /// Dials, waits, and deals with what is ready.
    fn turn_once(&mut self) {
        self.dial();
        let count = self.readiness.wait(self.until_next_duty());
        self.recorder.counts.calls.waits += 1;
        self.recorder.counts.calls.events += count as u64;
        let before = self.now;
        for position in 0..count {
            let (token, flags) = self.readiness.event(position);
            self.ready(token, flags);
        }
        if self.now == before {
            self.look_at_clock();
        }
        if self.now >= self.next_sweep {
            self.sweep();
        }
        self.publish();
        self.gather.pause(count, self.expected, self.now);
    }

    /// Nanoseconds until something is due that no event announces.
    fn until_next_duty(&self) -> u64 {
        let retry = self.retries.peek().map_or(Moment::NEVER, |Reverse((when, _))| *when);
        self.edge.min(retry).min(self.next_sweep).nanos_since(self.now)
    }

    /// Reads the clock, and turns to the next phase when it is time.
    pub(super) fn look_at_clock(&mut self) {
        self.now = Moment::now();
        if self.now >= self.edge {
            self.turn_phase();
        }
    }

    #[cold]
    fn turn_phase(&mut self) {
        if self.phase == Phase::WarmUp && self.now >= self.edge {
            self.before = self.recorder.restart(self.in_flight);
            self.slots.iter_mut().for_each(|slot| slot.tally.restart());
            self.phase = Phase::Measuring;
            self.edge = self.timeline.close;
        }
        if self.phase == Phase::Measuring && self.now >= self.edge {
            self.recorder.counts.requests.outstanding = self.in_flight;
            self.phase = Phase::Draining;
            self.edge = self.edge.after(shared::drain_time(self.common.plan));
        }
    }

    /// Looks for requests and connections that have been waited for too long.
    ///
    /// One look at everything now and then is cheaper than a timer for each request, and it costs
    /// those that are answered nothing.
    #[cold]
    fn sweep(&mut self) {
        let patience = self.common.plan.patience;
        let anyone = shared::last_answer(self.common.pulses).max(self.last_answer);
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            // While the server answers someone, a connection that it has not come to yet is in a
            // queue that moves: starved, but not lost.
            let since = if slot.answered_here == 0 { slot.since.max(anyone) } else { slot.since };
            match slot.state {
                State::Asking if self.now >= since.after(patience.answer) => {
                    self.fail(index, Fault::Timeout);
                }
                State::Dialling if self.now >= slot.since.after(patience.connect) => {
                    self.not_connected(index, &nix::errno::Errno::ETIMEDOUT.into());
                }
                _ => {}
            }
        }
        let often = patience.answer.min(patience.connect) / 16;
        self.next_sweep = self.now.after(often.min(SWEEP_AT_LEAST));
    }

    fn publish(&self) {
        let (before, requests) = (self.before.requests, self.recorder.counts.requests);
        let answered = before.answered + requests.answered;
        let failed = before.failed + requests.failed;
        self.common.pulses[self.which].publish(answered, failed, self.last_answer);
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
        self.recorder.merge(&other.recorder);
        self.before.merge(&other.before);
        self.tallies.extend(other.tallies);
        self.established += other.established;
        self.abandoned += other.abandoned;
        self.idle += other.idle;
        self.first_error = self.first_error.take().or(other.first_error);
        self.last_event = self.last_event.max(other.last_event);
    }
}
