//! Replies: read, checked and recorded.

use std::io::{ErrorKind, Read};

use super::outstanding::Asked;
use super::slot::State;
use super::worker::{Phase, Worker};
use crate::exchange::{Exchange, Step, Then};
use crate::fault::Fault;
use crate::plan::Stop;

/// Reads of one connection in a row, so that one endless reply does not shut out the others.
const READS_AT_ONCE: usize = 16;

impl<E: Exchange> Worker<'_, E> {
    /// Reads until a read comes back short: only then will there be a new edge. After the peer's
    /// last octet it reads on, to the end of the input.
    pub(super) fn receive(&mut self, index: usize, over: bool) {
        let generation = self.slots[index].generation;
        for _ in 0..READS_AT_ONCE {
            let slot = &mut self.slots[index];
            if slot.generation != generation {
                return;
            }
            let Some(mut socket) = slot.socket.as_ref() else { return };
            self.common.exchange.resume(&mut slot.dialogue, &mut self.input);
            let spare = self.input.spare();
            let room = spare.len();
            let outcome = match &mut self.stamps {
                Some(stamps) => stamps.read(socket, spare),
                None => socket.read(spare),
            };
            self.counts.calls.receives += 1;
            match outcome {
                Ok(0) => return self.ended(index),
                Ok(count) => {
                    self.received(index, count);
                    if count < room && !over {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(index, Fault::of_read(&error)),
            }
        }
        self.read_on_later(index);
    }

    fn read_on_later(&mut self, index: usize) {
        let token = self.token(index);
        if let Some(socket) = &self.slots[index].socket {
            self.counts.calls.controls += 1;
            if self.readiness.again(socket, token).is_err() {
                self.fail(index, Fault::Read);
            }
        }
    }

    /// Takes all replies that are complete, and goes on to what is next. All that came with one
    /// read came at one time, so one look at the clock is enough.
    fn received(&mut self, index: usize, count: usize) {
        self.input.commit(count);
        if self.phase != Phase::Draining {
            self.counts.octets_received += count as u64;
        }
        if self.slots[index].out.len() == 0 {
            return self.unasked(index);
        }
        let mut replies = 0;
        let then = loop {
            let dialogue = &mut self.slots[index].dialogue;
            let step = self.common.exchange.receive(dialogue, &mut self.input);
            if step == Step::Partial {
                break Then::Reuse;
            }
            if replies == 0 {
                self.look_at_clock();
            }
            match self.settle(index, step) {
                None => return,
                Some(Then::Close) => break Then::Close,
                Some(Then::Reuse) => replies += 1,
            }
            match self.slots[index].out.len() {
                0 if self.input.is_empty() => break Then::Reuse,
                0 => return self.unasked(index),
                _ => self.expect_oldest(index),
            }
        };
        if replies > 0 || then == Then::Close {
            self.proceed(index, replies, then);
        }
    }

    fn ended(&mut self, index: usize) {
        if self.slots[index].out.len() == 0 {
            return self.fail(index, Fault::Closed);
        }
        let step = self.common.exchange.end_of_input(&mut self.slots[index].dialogue);
        if step == Step::Partial {
            return self.fail(index, Fault::Closed);
        }
        self.look_at_clock();
        if self.settle(index, step).is_some() {
            self.proceed(index, 1, Then::Close);
        }
    }

    /// The oldest reply is complete: records it, and says what becomes of the connection; `None`
    /// that it has come to its end already.
    fn settle(&mut self, index: usize, step: Step) -> Option<Then> {
        let (then, fault) = match step {
            Step::Answered(then) => (then, None),
            Step::Failed(fault, Then::Reuse) => (Then::Reuse, Some(fault)),
            Step::Failed(fault, Then::Close) => {
                self.fail(index, fault);
                return None;
            }
            Step::Partial => return Some(Then::Reuse),
        };
        let asked = self.has_come(index)?;
        match fault {
            None => self.answered(index, asked),
            Some(fault) => self.lost(index, asked, fault),
        }
        self.last_event = self.now;
        self.count_answer(index);
        Some(then)
    }

    /// The oldest request of a connection is no longer out.
    pub(super) fn has_come(&mut self, index: usize) -> Option<Asked> {
        let asked = self.slots[index].out.pop()?;
        self.weigh_in_flight(self.now);
        self.in_flight -= 1;
        self.expected -= u64::from(self.slots[index].answered_here > 0);
        Some(asked)
    }

    /// One more reply has come over this connection.
    fn count_answer(&mut self, index: usize) {
        self.replies += 1;
        let slot = &mut self.slots[index];
        if slot.answered_here == 0 {
            self.expected += slot.out.len() as u64;
        }
        slot.answered_here = slot.answered_here.saturating_add(1);
        slot.fruitless = 0;
    }

    fn answered(&mut self, index: usize, asked: Asked) {
        self.last_answer = self.now;
        if self.phase == Phase::Measuring {
            self.answers += 1;
        }
        if !self.belongs(asked) {
            return;
        }
        let latency_ns = self.now.nanos_since(asked.planned);
        let service_ns = self.now.nanos_since(asked.sent);
        self.note_end(index, asked, None);
        self.slots[index].tally.answered(latency_ns, service_ns);
        self.counts.requests.answered += 1;
        self.counts.requests.late += u64::from(self.phase == Phase::Draining);
        self.interval.latency.record(latency_ns);
        if let Some(stamps) = &mut self.stamps {
            if let Some(socket) = &self.slots[index].socket {
                stamps.take_left(index, socket);
            }
            stamps.enter(index, asked, self.now);
        }
        if self.phase != Phase::WarmUp {
            self.slices.record(self.now.nanos_since(self.timeline.open), latency_ns);
        }
        if self.common.plan.load.has_planned_times() {
            self.interval.service.record(service_ns);
        }
        self.gather.note(service_ns);
    }

    /// Counts a lost request. In a closed loop, one that is lost after the measuring phase stays
    /// one that had no answer.
    pub(super) fn lost(&mut self, index: usize, asked: Asked, fault: Fault) {
        if self.belongs(asked) {
            self.note_end(index, asked, Some(fault));
            self.counts.requests.failed += 1;
            self.interval.failed += 1;
            fault.count(&mut self.counts.errors);
        } else if self.phase == Phase::Measuring {
            fault.count(&mut self.before.errors);
        } else if self.pacer.is_none() {
            self.counts.requests.lost += 1;
        }
    }

    /// There are octets that nobody asked for: the server has answered twice, or has mixed up two
    /// clients.
    #[cold]
    fn unasked(&mut self, index: usize) {
        self.look_at_clock();
        if self.phase != Phase::Connecting {
            self.counts.requests.unasked += 1;
        }
        self.replace(index);
    }

    /// Goes on after that many replies.
    fn proceed(&mut self, index: usize, replies: usize, then: Then) {
        let slot = &mut self.slots[index];
        let idle = slot.out.len() == 0;
        if idle {
            slot.state = State::Open;
        }
        if then == Then::Close && !idle {
            return self.fail(index, Fault::Closed);
        }
        let over = idle && (slot.unsent > 0 || then == Then::Close || self.is_worn_out(index));
        match self.common.plan.stop {
            Stop::Each(_) if idle && self.has_done_all(index) => self.retire(index),
            _ if over && self.phase == Phase::Draining && self.pacer.is_none() => {
                self.retire(index);
            }
            _ if over => self.renew(index),
            _ => self.go_on(index, replies),
        }
    }

    fn is_worn_out(&self, index: usize) -> bool {
        let carried = u64::from(self.slots[index].answered_here);
        self.common.plan.reconnect_every.is_some_and(|every| carried >= every.get())
    }
}
