//! The hot path: a reply is read, checked and recorded, and the next request is sent.
//!
//! For a request that fits one write and a reply that fits one read, that is two system calls, one
//! look at the clock, and no allocation.

use std::io::{ErrorKind, Read, Write};

use nix::sys::epoll::EpollFlags;

use super::readiness::Token;
use super::slot::State;
use super::worker::{Phase, Worker};
use crate::exchange::{Exchange, Step, Then, Turn};
use crate::fault::Fault;
use crate::plan::{Load, Stop};

/// Reads of one connection in a row, so that one endless reply does not shut out the others.
const READS_AT_ONCE: usize = 16;

impl<E: Exchange> Worker<'_, E> {
    /// Deals with one event.
    pub(super) fn ready(&mut self, token: Token, flags: EpollFlags) {
        let index = token.index as usize;
        let slot = &self.slots[index];
        if slot.generation != token.generation {
            return;
        }
        if slot.state == State::Dialling {
            self.dialled(index);
        }
        if self.slots[index].unsent > 0 && flags.contains(EpollFlags::EPOLLOUT) {
            self.send(index);
        }
        if flags.intersects(readable()) && self.slots[index].generation == token.generation {
            self.receive(index, flags.intersects(over()));
        }
    }

    /// Begins the next request of a connection.
    pub(super) fn ask(&mut self, index: usize) {
        let turn = self.turn_of(index);
        let seed = self.identity(index) << 32;
        let slot = &mut self.slots[index];
        slot.state = State::Asking;
        slot.since = self.now;
        slot.begun += 1;
        self.common.exchange.begin(&mut slot.dialogue, seed.wrapping_add(slot.begun), turn);
        slot.unsent = self.common.exchange.request(&slot.dialogue).len();
        self.recorder.counts.requests.sent += 1;
        self.in_flight += 1;
        self.expected += u64::from(slot.answered_here > 0);
        self.send(index);
    }

    /// Whether the request that comes next on this connection is its last one.
    fn turn_of(&self, index: usize) -> Turn {
        let answered_here = u64::from(self.slots[index].answered_here);
        match self.common.plan.reconnect_every {
            Some(every) if answered_here + 1 >= every.get() => Turn::Last,
            _ => Turn::More,
        }
    }

    /// Sends what the kernel takes of the present request. The rest goes when there is room again.
    fn send(&mut self, index: usize) {
        loop {
            let slot = &mut self.slots[index];
            let Some(mut socket) = slot.socket.as_ref() else { return };
            let request = self.common.exchange.request(&slot.dialogue);
            let outcome = socket.write(&request[request.len() - slot.unsent..]);
            self.recorder.counts.calls.sends += 1;
            match outcome {
                Ok(count) => {
                    slot.unsent -= count;
                    let all = slot.unsent == 0;
                    self.sent(index, count as u64);
                    if all {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(index, Fault::of_write(&error)),
            }
        }
    }

    fn sent(&mut self, index: usize, octets: u64) {
        if self.phase != Phase::Draining {
            self.slots[index].tally.octets_sent += octets;
            self.recorder.counts.octets_sent += octets;
        }
    }

    /// Reads until a read comes back short: only then will there be a new edge. After the peer's
    /// last octet it reads on, to the end of the input.
    fn receive(&mut self, index: usize, over: bool) {
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
            let outcome = socket.read(spare);
            self.recorder.counts.calls.receives += 1;
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
            self.recorder.counts.calls.controls += 1;
            if self.readiness.again(socket, token).is_err() {
                self.fail(index, Fault::Read);
            }
        }
    }

    fn received(&mut self, index: usize, count: usize) {
        self.input.commit(count);
        if self.phase != Phase::Draining {
            self.recorder.counts.octets_received += count as u64;
        }
        let slot = &mut self.slots[index];
        if slot.state != State::Asking {
            return self.fail(index, Fault::Mismatch);
        }
        match self.common.exchange.receive(&mut slot.dialogue, &mut self.input) {
            Step::Partial => {}
            step => self.settle(index, step),
        }
    }

    fn ended(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.state != State::Asking {
            return self.fail(index, Fault::Closed);
        }
        match self.common.exchange.end_of_input(&mut slot.dialogue) {
            Step::Partial => self.fail(index, Fault::Closed),
            step => self.settle(index, step),
        }
    }

    /// The reply is complete: records it, and goes on to what is next.
    fn settle(&mut self, index: usize, step: Step) {
        self.look_at_clock();
        let then = match step {
            Step::Answered(then) => {
                self.answered(index);
                then
            }
            Step::Failed(fault, Then::Reuse) => {
                self.lost(fault);
                Then::Reuse
            }
            Step::Failed(fault, Then::Close) => return self.fail(index, fault),
            Step::Partial => return,
        };
        self.has_come(index);
        self.last_event = self.now;
        let slot = &mut self.slots[index];
        slot.answered_here = slot.answered_here.saturating_add(1);
        slot.fruitless = 0;
        self.proceed(index, then);
    }

    /// A request is no longer out.
    pub(super) fn has_come(&mut self, index: usize) {
        self.in_flight -= 1;
        self.expected -= u64::from(self.slots[index].answered_here > 0);
    }

    fn answered(&mut self, index: usize) {
        self.last_answer = self.now;
        if self.phase == Phase::Draining {
            return;
        }
        let slot = &mut self.slots[index];
        let latency_ns = self.now.nanos_since(slot.since);
        slot.tally.answered(latency_ns);
        self.recorder.answered(latency_ns);
        self.gather.note(latency_ns);
    }

    /// Counts a lost request. After the measuring phase it stays one that had no answer.
    pub(super) fn lost(&mut self, fault: Fault) {
        if self.phase != Phase::Draining {
            self.recorder.failed(fault);
        }
    }

    /// In a closed loop the end of a request is the beginning of the next one.
    fn proceed(&mut self, index: usize, then: Then) {
        let slot = &self.slots[index];
        let over = slot.unsent > 0 || then == Then::Close || self.is_worn_out(index);
        if self.phase == Phase::Draining || self.has_done_all(index) {
            self.retire(index);
        } else if over {
            self.renew(index);
        } else {
            match &self.common.plan.load {
                Load::Closed(_) | Load::Open(_) => self.ask(index),
            }
        }
    }

    fn is_worn_out(&self, index: usize) -> bool {
        let carried = u64::from(self.slots[index].answered_here);
        self.common.plan.reconnect_every.is_some_and(|every| carried >= every.get())
    }

    pub(super) fn has_done_all(&self, index: usize) -> bool {
        match self.common.plan.stop {
            Stop::Each(count) => self.slots[index].begun >= count.get(),
            Stop::After(_) => false,
        }
    }
}

fn readable() -> EpollFlags {
    EpollFlags::EPOLLIN | over()
}

fn over() -> EpollFlags {
    EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR
}
