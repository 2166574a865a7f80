//! The loop of a thread, and its way through the phases.

use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use super::ledger::Report;
use super::pacer::Pacer;
use super::shared::{self, Timeline, Vitals};
use super::slot::{Role, State};
use super::worker::{Phase, Worker};
use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::plan::{Load, Stop};
use crate::recorder::Counts;
use crate::schedule::Lane;

/// How often overdue requests are looked for: 16 times in their patience, at least this often.
const SWEEP_AT_LEAST: Duration = Duration::from_millis(250);

/// First requests between two looks at what has been answered already.
const FIRST_AT_ONCE: usize = 256;

/// How long a thread listens, when all answers are there, for replies that nobody asked for.
const LISTEN: Duration = Duration::from_millis(20);

const SECOND_NS: u64 = 1_000_000_000;

/// Whether a turn waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It only looks what is ready.
    No,
    /// Until something is ready or due.
    ForDuty,
}

impl<E: Exchange> Worker<'_, E> {
    /// Puts the target under load, to the end of the run.
    pub(crate) fn drive(&mut self, timeline: Timeline) {
        self.timeline = timeline;
        self.phase = Phase::WarmUp;
        self.edge = timeline.open;
        self.now = Moment::now();
        self.turn_phase();
        self.begin_load();
        while !self.is_over() {
            self.turn_once(Wait::ForDuty);
        }
        if self.phase != Phase::Draining {
            self.end_measuring();
        }
        self.account_for_the_rest();
        self.publish();
    }

    /// In a closed loop every connection sends its first request. In a large crowd that takes a
    /// while, which must not count as latency: each has its own look at the clock, and the first
    /// answers are taken while the last requests are still to be sent.
    fn begin_load(&mut self) {
        if let Load::Open(schedule) = &self.common.plan.load {
            let plan = self.common.plan;
            let (rank, size) = (u64::from(plan.seat.rank), u64::from(plan.seat.size));
            let index = rank + size * self.which as u64;
            let lane = Lane { index, of: size * plan.threads as u64 };
            let start = self.timeline.open.before(plan.warm_up);
            self.pacer = Some(Pacer::new(schedule.arrivals(lane), start, self.timeline.close));
        }
        for index in 0..self.slots.len() {
            self.look_at_clock();
            if self.slots[index].is_idle(Role::Active) {
                self.go_on(index, self.common.plan.depth);
            }
            if index % FIRST_AT_ONCE == FIRST_AT_ONCE - 1 {
                self.turn_once(Wait::No);
            }
        }
    }

    fn is_over(&self) -> bool {
        match (self.phase, self.common.plan.stop) {
            (Phase::Draining, _) if self.now >= self.edge => true,
            (Phase::Draining, _) => {
                let sent = self.pacer.as_ref().is_none_or(|pacer| pacer.next() == Moment::NEVER);
                sent && self.in_flight == 0 && self.now >= self.last_event.after(LISTEN)
            }
            (_, Stop::Each(_)) => self.unfinished == 0 || self.is_stopped(),
            (_, Stop::After(_)) => false,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.common.signals.stopped().is_some()
    }

    /// Dials, waits, and deals with what is ready and with what is due.
    pub(super) fn turn_once(&mut self, wait: Wait) {
        self.dial();
        let wait_ns = match wait {
            Wait::No => 0,
            Wait::ForDuty => self.until_next_duty(),
        };
        let began = self.now;
        let count = self.readiness.wait(wait_ns);
        self.counts.calls.waits += 1;
        self.counts.calls.events += count as u64;
        for position in 0..count {
            let (token, flags) = self.readiness.event(position);
            self.ready(token, flags);
            self.send_what_is_due();
        }
        if self.now == began {
            self.look_at_clock();
        }
        match (count, wait_ns) {
            (0, 0) => self.spun_ns += self.now.nanos_since(began),
            (0, _) => self.alarm.rang(began.after_nanos(wait_ns), self.now),
            _ => {}
        }
        self.do_what_is_due();
        if self.pacer.is_none() {
            self.spun_ns += self.gather.pause(count, self.expected, self.now);
        }
    }

    /// Everything that no event announces.
    fn do_what_is_due(&mut self) {
        self.send_what_is_due();
        self.stop_thinking();
        if let Some(stamps) = &mut self.stamps {
            stamps.synchronise(self.now);
        }
        if self.now >= self.next_sweep {
            self.sweep();
        }
        if self.is_stopped() {
            self.obey_the_stop();
        }
        self.publish();
    }

    /// Nanoseconds until something is due that no event announces.
    fn until_next_duty(&self) -> u64 {
        let spin = self.common.plan.spin;
        if self.in_flight > 0 && !spin.is_zero() {
            return 0;
        }
        let retry = self.retries.peek().map_or(Moment::NEVER, |Reverse((when, _))| *when);
        let thought = self.thinking.peek().map_or(Moment::NEVER, |Reverse((when, ..))| *when);
        let send = self.pacer.as_ref().map_or(Moment::NEVER, Pacer::due).min(thought);
        let awake = self.alarm.set_for(send, self.now).min(send.before(spin));
        self.edge.min(retry).min(self.next_sweep).min(awake).nanos_since(self.now)
    }

    /// Reads the clock, and turns to the next phase when it is time.
    #[inline]
    pub(super) fn look_at_clock(&mut self) {
        self.now = Moment::now();
        if self.now >= self.edge {
            self.turn_phase();
        }
    }

    #[cold]
    fn turn_phase(&mut self) {
        if self.phase == Phase::WarmUp && self.now >= self.timeline.open {
            self.begin_measuring();
        }
        while self.phase == Phase::Measuring && self.now >= self.second_end {
            self.hand_over();
            self.second_end = self.second_end.after_nanos(SECOND_NS);
        }
        if self.phase == Phase::Measuring && self.now >= self.timeline.close {
            self.end_measuring();
        }
        self.edge = match self.phase {
            Phase::Measuring => self.timeline.close.min(self.second_end),
            _ => self.edge,
        };
    }

    fn begin_measuring(&mut self) {
        // In an open loop a request belongs to the phase for which it was planned.
        let out = if self.pacer.is_some() { 0 } else { self.in_flight };
        let mut fresh = Counts::default();
        fresh.requests.sent = out;
        self.before = mem::replace(&mut self.counts, fresh);
        self.interval.reset();
        self.slots.iter_mut().for_each(|slot| slot.tally.restart());
        (self.in_flight_ns, self.in_flight_since) = (0, self.timeline.open);
        (self.answers, self.spun_ns, self.cut) = (0, 0, self.in_flight);
        if let Some(stamps) = &mut self.stamps {
            stamps.restart();
        }
        self.clock.start();
        self.phase = Phase::Measuring;
        self.second_end = self.timeline.open.after_nanos(SECOND_NS);
    }

    fn end_measuring(&mut self) {
        let close = self.timeline.close.min(self.now);
        self.weigh_in_flight(close);
        self.cut += self.in_flight;
        self.used = self.clock.used(self.spun_ns);
        self.alive = self.slots.iter().filter(|slot| slot.is_alive()).count() as u64;
        for slot in &mut self.slots {
            if let Some(oldest) = slot.out.oldest() {
                let since = oldest.sent.max(self.timeline.open);
                slot.tally.silence_ns = slot.tally.silence_ns.max(close.nanos_since(since));
            }
        }
        self.counts.requests.outstanding = self.in_flight;
        if self.pacer.is_none() {
            self.note_lost();
        }
        self.phase = Phase::Draining;
        self.last_event = self.last_event.max(close);
        self.edge = close.after(shared::drain_time(self.common.plan));
    }

    /// Requests that never had an answer, and those that were never sent.
    fn account_for_the_rest(&mut self) {
        if self.pacer.is_none() {
            self.counts.requests.lost += self.in_flight;
            return;
        }
        self.note_lost();
        let open = self.timeline.open;
        let out = self.slots.iter().flat_map(|slot| slot.out.iter());
        let lost = out.filter(|asked| asked.planned >= open).count() as u64;
        self.counts.requests.outstanding = lost;
        self.counts.requests.lost = lost;
        while let Some(planned) = self.pacer.as_mut().and_then(Pacer::give_up) {
            if planned >= open {
                self.counts.requests.unsent += 1;
                self.note_unsent(planned);
            }
        }
    }

    /// Gives what was recorded in a second to the main thread.
    pub(super) fn hand_over(&mut self) {
        let fresh = self.lines.spares.try_recv().unwrap_or_default();
        let interval = mem::replace(&mut self.interval, fresh);
        let (which, number) = (self.which, self.second);
        // Nobody is there to take it when the run has failed.
        let _ = self.lines.reports.send(Report::Second { which, number, interval });
        self.second += 1;
    }

    /// Adds up the time for which requests were out, until now.
    #[inline]
    pub(super) fn weigh_in_flight(&mut self, now: Moment) {
        if self.phase != Phase::Draining {
            self.in_flight_ns += self.in_flight * now.nanos_since(self.in_flight_since);
            self.in_flight_since = now;
        }
    }

    /// Looks for requests and connections that have been waited for too long.
    ///
    /// One look at everything now and then is cheaper than a timer for each request, and it costs
    /// those that are answered nothing.
    #[cold]
    fn sweep(&mut self) {
        let patience = self.common.plan.patience;
        let anyone = shared::last_answer(&self.common.signals.pulses).max(self.last_answer);
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let asked = slot.out.oldest().unwrap_or_default().sent;
            // While the server answers someone, a connection that it has not come to yet is in a
            // queue that moves: starved, but not lost.
            let since = if slot.answered_here == 0 { asked.max(anyone) } else { asked };
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

    /// After an interruption the measuring phase ends at once: when the thread becomes aware of it,
    /// as it has gone on measuring until then.
    #[cold]
    fn obey_the_stop(&mut self) {
        if matches!(self.phase, Phase::WarmUp | Phase::Measuring) && self.now < self.timeline.close
        {
            self.timeline.close = self.now.max(self.timeline.open);
            if let Some(pacer) = &mut self.pacer {
                pacer.end = self.timeline.close;
            }
            self.edge = self.now.min(self.edge);
            self.turn_phase();
        }
    }

    fn publish(&self) {
        let (before, requests) = (self.before.requests, self.counts.requests);
        let vitals = Vitals {
            answered: before.answered + requests.answered,
            failed: before.failed + requests.failed,
            connected: self.connect.histogram().len(),
            queue: self.pacer.as_ref().map_or(0, Pacer::waiting),
        };
        self.common.signals.pulses[self.which].publish(vitals, self.last_answer);
    }
}
