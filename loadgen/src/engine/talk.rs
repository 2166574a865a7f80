//! Requests: when the next one goes out, on which connection, and as which octets.
//!
//! For a request that fits one write and a reply that fits one read, a request costs two system
//! calls, one look at the clock (two in an open loop), and no allocation.

use std::cmp::Reverse;
use std::io::{ErrorKind, IoSlice, Write};

use nix::sys::epoll::EpollFlags;

use super::outstanding::Asked;
use super::readiness::Token;
use super::slot::State;
use super::worker::{Phase, Worker};
use crate::clock::Moment;
use crate::exchange::{Exchange, Turn};
use crate::fault::Fault;
use crate::plan::{Load, Stop, Think};
use crate::random;

/// Requests that go out with one system call.
const AT_ONCE: usize = 16;

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
            self.go_on(index, 0);
        }
        // The error queue, where stamps wait to be fetched, is no error.
        let flags = if self.stamps.is_some() { flags - EpollFlags::EPOLLERR } else { flags };
        if flags.intersects(readable()) && self.slots[index].generation == token.generation {
            self.receive(index, flags.intersects(over()));
        }
    }

    /// A connection has room for `room` more requests than before: in a closed loop it sends them,
    /// now or after a while; in an open loop it takes its place among the free ones.
    pub(super) fn go_on(&mut self, index: usize, room: usize) {
        match &self.common.plan.load {
            Load::Open(_) => self.offer(index),
            Load::Closed(_) if self.phase == Phase::Draining => {}
            Load::Closed(Think::None) => {
                (0..room).for_each(|_| self.ask(index, self.now));
                self.send(index);
            }
            Load::Closed(think) => {
                let think = *think;
                (0..room).for_each(|_| self.think(index, think));
            }
        }
    }

    /// Puts a connection among the free ones, if it is free and not there yet.
    fn offer(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if let Some(pacer) = &mut self.pacer
            && !slot.listed
            && slot.is_free(self.common.plan.depth)
        {
            slot.listed = true;
            pacer.freed(index as u32, self.now);
        }
    }

    /// Open loop: sends everything whose time has come, as long as there are free connections.
    #[inline]
    pub(super) fn send_what_is_due(&mut self) {
        if self.pacer.as_ref().is_some_and(|pacer| pacer.next() <= self.now) {
            self.keep_pace();
        }
    }

    fn keep_pace(&mut self) {
        while let Some(index) = self.next_due() {
            self.look_at_clock();
            self.ask_as_planned(index);
            self.send(index);
            self.offer(index);
        }
        if let Some(pacer) = &mut self.pacer {
            pacer.look(self.now);
        }
    }

    /// The connection for the request that is due, if there is both.
    fn next_due(&mut self) -> Option<usize> {
        let pacer = self.pacer.as_mut()?;
        if pacer.next() > self.now {
            return None;
        }
        while let Some(index) = pacer.free.pop_front() {
            let slot = &mut self.slots[index as usize];
            slot.listed = false;
            if slot.is_free(self.common.plan.depth) {
                return Some(index as usize);
            }
        }
        None
    }

    fn ask_as_planned(&mut self, index: usize) {
        let Some(pacer) = &mut self.pacer else { return };
        let planned = pacer.next();
        let earliest = pacer.sent();
        if planned >= self.timeline.open {
            let now = self.now;
            self.interval.lag.record(now.nanos_since(earliest));
            if earliest > planned {
                self.interval.queue.record(earliest.nanos_since(planned));
            }
            if self.sends.len() < self.sends.capacity() {
                self.sends.push(now.nanos_since(self.timeline.open));
            }
        }
        self.ask(index, planned);
    }

    /// Closed loop: the next request follows after a while. How long is drawn from the seed, the
    /// connection and the number of the request, so it is the same against every server.
    fn think(&mut self, index: usize, think: Think) {
        let number = self.slots[index].begun + u64::from(self.slots[index].thinking);
        let draw = random::unit(self.common.plan.seed, self.identity(index), number);
        let pause = match think {
            Think::None => return self.ask(index, self.now),
            Think::Constant(pause) => pause,
            Think::Exponential(mean) => mean.mul_f64(-(1.0 - draw).ln()),
        };
        let generation = self.slots[index].generation;
        self.slots[index].thinking += 1;
        self.thinking.push(Reverse((self.now.after(pause), index as u32, generation)));
    }

    /// Closed loop: sends what was thought about for long enough.
    pub(super) fn stop_thinking(&mut self) {
        while let Some(&Reverse((when, index, generation))) = self.thinking.peek()
            && when <= self.now
        {
            self.thinking.pop();
            let slot = &mut self.slots[index as usize];
            if slot.generation == generation && self.phase != Phase::Draining {
                slot.thinking -= 1;
                self.look_at_clock();
                self.interval.lag.record(self.now.nanos_since(when));
                self.ask(index as usize, when);
                self.send(index as usize);
            }
        }
    }

    /// Begins one more request, if the connection may carry it. It is not sent by this.
    fn ask(&mut self, index: usize, planned: Moment) {
        if !self.may_carry_one_more(index) {
            return;
        }
        let asked = Asked { planned, sent: self.now };
        self.weigh_in_flight(self.now);
        self.in_flight += 1;
        let slot = &mut self.slots[index];
        slot.state = State::Asking;
        slot.begun += 1;
        slot.out.push(asked);
        self.expected += u64::from(slot.answered_here > 0);
        let oldest = slot.out.len() == 1;
        let (seed, turn) = self.newest(index, 0);
        let (exchange, slot) = (self.common.exchange, &mut self.slots[index]);
        exchange.begin(&mut slot.dialogue, seed, turn);
        if oldest {
            exchange.expect(&mut slot.dialogue, seed);
        }
        slot.unsent += exchange.request(&slot.dialogue, seed, turn).len();
        self.counts.requests.sent += u64::from(self.belongs(asked));
    }

    fn may_carry_one_more(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        let carried = u64::from(slot.answered_here) + slot.out.len() as u64;
        let worn_out = self.common.plan.reconnect_every.is_some_and(|every| carried >= every.get());
        let connected = matches!(slot.state, State::Open | State::Asking);
        connected && !worn_out && !self.has_done_all(index)
    }

    /// Whether a request is one of those that are measured. Those of the warm-up count too while it
    /// lasts; they are forgotten at its end.
    #[inline]
    pub(super) fn belongs(&self, asked: Asked) -> bool {
        match (self.phase, &self.pacer) {
            (Phase::WarmUp, _) => true,
            (Phase::Draining, None) => false,
            (_, None) => true,
            (_, Some(_)) => asked.planned >= self.timeline.open,
        }
    }

    /// The seed and the turn of a request that is out, counted from the newest one back.
    fn newest(&self, index: usize, back: usize) -> (u64, Turn) {
        let slot = &self.slots[index];
        let seed = (self.identity(index) << 32).wrapping_add(slot.begun - back as u64);
        let position = u64::from(slot.answered_here) + (slot.out.len() - back) as u64;
        let every = self.common.plan.reconnect_every;
        let last = every.is_some_and(|every| position >= every.get());
        (seed, if last { Turn::Last } else { Turn::More })
    }

    /// The reply to the oldest request is what comes next.
    pub(super) fn expect_oldest(&mut self, index: usize) {
        let back = self.slots[index].out.len() - 1;
        let (seed, _) = self.newest(index, back);
        self.common.exchange.expect(&mut self.slots[index].dialogue, seed);
    }

    /// Sends what the kernel takes of the requests that are out. The rest goes when there is room
    /// again.
    pub(super) fn send(&mut self, index: usize) {
        while self.slots[index].unsent > 0 {
            let outcome = self.write(index);
            self.counts.calls.sends += 1;
            match outcome {
                Ok(count) => {
                    self.slots[index].unsent -= count;
                    self.sent(index, count as u64);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(index, Fault::of_write(&error)),
            }
        }
    }

    fn write(&self, index: usize) -> std::io::Result<usize> {
        let slot = &self.slots[index];
        let Some(mut socket) = slot.socket.as_ref() else { return Ok(slot.unsent) };
        let (seed, turn) = self.newest(index, 0);
        let newest = self.common.exchange.request(&slot.dialogue, seed, turn);
        if slot.unsent <= newest.len() {
            return socket.write(&newest[newest.len() - slot.unsent..]);
        }
        let (mut pieces, count) = self.unsent_pieces(index);
        socket.write_vectored(&pieces[..count]).inspect(|_| pieces[0] = IoSlice::new(&[]))
    }

    /// The first octets that are still to be sent, of the oldest request that has any and of those
    /// behind it.
    fn unsent_pieces(&self, index: usize) -> ([IoSlice<'_>; AT_ONCE], usize) {
        let request = |back| {
            let (seed, turn) = self.newest(index, back);
            self.common.exchange.request(&self.slots[index].dialogue, seed, turn)
        };
        let (mut back, mut octets) = (0, request(0).len());
        while octets < self.slots[index].unsent {
            back += 1;
            octets += request(back).len();
        }
        let mut pieces = [IoSlice::new(&[]); AT_ONCE];
        let count = AT_ONCE.min(back + 1);
        for (place, piece) in pieces[..count].iter_mut().enumerate() {
            *piece = IoSlice::new(request(back - place));
        }
        pieces[0] = IoSlice::new(&request(back)[octets - self.slots[index].unsent..]);
        (pieces, count)
    }

    fn sent(&mut self, index: usize, octets: u64) {
        if self.phase != Phase::Draining {
            self.slots[index].tally.octets_sent += octets;
            self.counts.octets_sent += octets;
        }
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
