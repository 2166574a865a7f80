//! How clients come in: accepted here, or brought by an acceptor. While there is no descriptor for
//! the next one, nobody looks at the listener.

use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};

use super::turn::to_ask;
use super::{Gate, LISTENER, Reactor, Source};
use crate::connection::Interest;
use crate::drive::poller::{Poller, Trigger};
use crate::drive::slots::Tenant;
use crate::listener::{Blocking, Listener, Refusal};

impl<P: Poller> Reactor<'_, P> {
    /// Takes on who has come, so many at most.
    pub(super) fn accept(&mut self, most: usize) {
        let Source::Listener(listener) = self.source else { return };
        for _ in 0..most {
            self.worker.counters.accepts.count();
            match listener.accept(Blocking::No) {
                Ok(stream) => self.admit(stream),
                Err(Refusal::Nobody) => return self.ask_for_clients_again(listener),
                Err(Refusal::Gone) => {}
                Err(Refusal::NoRoom(error)) => {
                    self.worker.counters.accepts_without_room.count();
                    if !self.make_room() {
                        self.worker.control.complain("cannot accept for now", &error);
                        return self.pause_gate(listener);
                    }
                }
            }
        }
        if P::TRIGGER == Trigger::Edge {
            self.unfinished.push(LISTENER);
        }
        self.ask_for_clients_again(listener);
    }

    fn ask_for_clients_again(&mut self, listener: &Listener) {
        if P::TRIGGER == Trigger::Oneshot && self.gate == Gate::Open {
            self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
            let asked = self.poller.modify(listener.socket(), LISTENER, Interest::Read);
            if asked.is_err() {
                self.gate = Gate::Paused;
            }
        }
    }

    pub(super) fn admit(&mut self, stream: TcpStream) {
        let beyond = P::CEILING.is_some_and(|ceiling| stream.as_raw_fd() >= ceiling);
        let (token, interest) = (self.slots.next(), to_ask::<P>(Interest::Read));
        if beyond || self.poller.add(stream.as_fd(), token, interest).is_err() {
            let counters = &self.worker.counters;
            let reason = if beyond { &counters.refused_number } else { &counters.refused_no_watch };
            reason.count();
            counters.refused.count();
            return self.app.turn_away(stream);
        }
        self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
        self.worker.counters.accepted.count();
        let session = self.app.open(stream, &mut self.worker);
        let deadline = session.deadline(&self.worker);
        self.earliest = self.earliest.min(deadline);
        let begins_by_reading = session.wants().client == Some(Interest::Read);
        self.slots.insert(Tenant::new(session, interest), deadline);
        if !begins_by_reading {
            self.turn_of(token, None);
        }
    }

    pub(super) fn open_gate(&mut self) {
        if let Source::Listener(listener) = self.source {
            self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
            let added = self.poller.add(listener.socket(), LISTENER, Interest::Read);
            self.gate = if added.is_ok() { Gate::Open } else { Gate::Paused };
        }
    }

    /// Stops looking at the listener: it would be reported again and again, and each time in vain.
    pub(super) fn pause_gate(&mut self, listener: &Listener) {
        if self.gate != Gate::Open {
            return;
        }
        self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
        if self.poller.remove(listener.socket()).is_ok() {
            self.gate = Gate::Paused;
        }
    }
}
