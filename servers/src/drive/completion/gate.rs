//! How clients come in: a request that brings one after the other, until there is no room for the
//! next.

use std::net::TcpStream;

use nix::errno::Errno;

use super::client::Client;
use super::ring::{Ask, Done, Name, Ring, What};
use super::uring::descriptor;
use super::{Gate, LISTENER, Proactor};
use crate::listener::{Blocking, Refusal};
use crate::shortage;

impl<R: Ring> Proactor<'_, R> {
    /// A client has come, or the request for clients has ended.
    pub(super) fn accepted(&mut self, done: Done) {
        self.worker.counters.accepts.count();
        self.worker.counters.ring_requests.count();
        let shortage = match done.result {
            Ok(fd) => {
                self.admit(descriptor(fd).into());
                None
            }
            Err(errno) => Some(errno).filter(|&errno| shortage::is_ours(errno)),
        };
        match (self.gate, shortage) {
            _ if done.goes_on => {}
            (Gate::Open, None) => self.open_gate(),
            (Gate::Open, Some(errno)) => self.pause_gate(errno),
            (Gate::Closing, _) => self.close_gate(),
            (Gate::Paused | Gate::Closed, _) => {}
        }
    }

    /// There is no room for the next client. Makes some, or waits until there is.
    fn pause_gate(&mut self, errno: Errno) {
        self.worker.counters.accepts_without_room.count();
        self.gate = Gate::Paused;
        if self.make_room() {
            self.reopen_gate();
        } else {
            self.worker.control.complain("cannot accept for now", &errno.into());
        }
    }

    fn admit(&mut self, stream: TcpStream) {
        self.worker.counters.accepted.count();
        let session = self.app.open(stream, &mut self.worker);
        let deadline = session.deadline(&self.worker);
        let token = self.slots.next();
        self.slots.insert(Client::new(session), deadline);
        self.advance(token);
    }

    pub(super) fn open_gate(&mut self) {
        self.gate = Gate::Open;
        // SAFETY: the listener outlives the ring.
        unsafe {
            let name = Name { what: What::Accept, token: LISTENER };
            self.ring.ask(name, Ask::Accept(self.listener.socket()));
        }
    }

    /// Asks for clients again, if there was no room for the next one, and there may be some now:
    /// what is leaving has its descriptors until the next turn.
    pub(super) fn reopen_gate(&mut self) {
        if self.gate == Gate::Paused && self.leaving.is_empty() {
            self.open_gate();
        }
    }

    /// Takes on who has come until now, and nobody later.
    fn close_gate(&mut self) {
        self.gate = Gate::Closed;
        self.take_on_the_last();
        self.listener.retire();
    }

    fn take_on_the_last(&mut self) {
        for _ in 0..self.listener.waiting() {
            self.worker.counters.accepts.count();
            match self.listener.accept(Blocking::No) {
                Ok(stream) => self.admit(stream),
                Err(Refusal::Gone) => {}
                Err(Refusal::Nobody) => return,
                Err(Refusal::NoRoom(error)) => {
                    self.worker.counters.accepts_without_room.count();
                    return self.worker.control.complain("cannot accept for now", &error);
                }
            }
        }
    }
}
