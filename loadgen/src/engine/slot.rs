//! One place in the crowd of clients: a connection now, perhaps another one later.

use std::io::ErrorKind;
use std::net::TcpStream;

use super::outstanding::Outstanding;
use crate::clock::Moment;

/// One client and its present connection.
#[derive(Debug)]
pub(crate) struct Slot<D> {
    /// The present connection.
    pub(crate) socket: Option<TcpStream>,
    /// Counts the connections this slot has had, so that an event for an old one is recognised.
    pub(crate) generation: u32,
    pub(crate) role: Role,
    pub(crate) state: State,
    /// Consecutive connections that ended without an answer.
    pub(crate) fruitless: u8,
    /// Requests answered on the present connection.
    pub(crate) answered_here: u32,
    /// Requests that are out.
    pub(crate) out: Outstanding,
    /// Octets of them that are still to be sent.
    pub(crate) unsent: usize,
    /// While dialling: since when.
    pub(crate) since: Moment,
    /// What the exchange remembers.
    pub(crate) dialogue: D,
    /// Requests begun in the whole run.
    pub(crate) begun: u64,
    /// Closed loop: requests that are being thought about.
    pub(crate) thinking: u16,
    /// Open loop: whether it has its place among the free connections.
    pub(crate) listed: bool,
    pub(crate) tally: Tally,
}

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It sends requests.
    Active,
    /// It is connected and silent.
    Silent,
}

/// Where a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits to be dialled.
    Waiting,
    /// connect(2) is under way.
    Dialling,
    /// Connected, and no request is out.
    Open,
    /// At least one request is out.
    Asking,
    /// Has done all it had to do.
    Finished,
    /// Has been given up.
    Abandoned,
}

/// What one client did: its row in `client data - N.csv`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Requests answered in the measuring phase.
    pub answered: u64,
    /// Octets of requests sent in the measuring phase.
    pub octets_sent: u64,
    /// The sum of the latencies of the answered requests.
    pub latency_ns: u64,
    /// The longest time of the measuring phase in which a request was out and no answer came.
    pub silence_ns: u64,
    /// Just before its first connect(2).
    pub opened: Option<Moment>,
    /// When its last connection was closed, or given up; none while one is open.
    pub closed: Option<Moment>,
}

impl Tally {
    /// Forgets what was done before the measuring phase, but not when the session began.
    pub(crate) fn restart(&mut self) {
        *self = Self { opened: self.opened, closed: self.closed, ..Self::default() };
    }

    /// Counts one answered request.
    #[inline]
    pub(crate) fn answered(&mut self, latency_ns: u64, service_ns: u64) {
        self.answered += 1;
        self.latency_ns += latency_ns;
        self.silence_ns = self.silence_ns.max(service_ns);
    }
}

impl<D: Default> Slot<D> {
    /// One that waits to be dialled.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            socket: None,
            generation: 0,
            role,
            state: State::Waiting,
            fruitless: 0,
            answered_here: 0,
            out: Outstanding::default(),
            unsent: 0,
            since: Moment::default(),
            dialogue: D::default(),
            begun: 0,
            thinking: 0,
            listed: false,
            tally: Tally::default(),
        }
    }

    /// Puts a connection that is under way into the slot.
    pub(crate) fn dialling(&mut self, socket: TcpStream, now: Moment) {
        self.socket = Some(socket);
        self.state = State::Dialling;
        self.since = now;
        self.answered_here = 0;
        self.dialogue = D::default();
        self.tally.closed = None;
    }

    /// Closes the connection, if there is one, and leaves the slot in `state`.
    pub(crate) fn close(&mut self, state: State, now: Moment) {
        if self.socket.take().is_some() || self.tally.closed.is_none() {
            self.tally.closed = Some(now);
        }
        self.generation = self.generation.wrapping_add(1);
        self.state = state;
        self.out.clear();
        self.unsent = 0;
        self.thinking = 0;
    }

    /// Whether it can take one more request.
    pub(crate) fn is_free(&self, depth: usize) -> bool {
        let connected = matches!(self.state, State::Open | State::Asking);
        connected && self.role == Role::Active && self.unsent == 0 && self.out.len() < depth
    }

    /// Whether it is an active one that is connected, or about to be in the normal course of
    /// things.
    pub(crate) fn is_alive(&self) -> bool {
        self.role == Role::Active
            && match self.state {
                State::Dialling | State::Waiting => self.fruitless == 0,
                State::Open | State::Asking | State::Finished => true,
                State::Abandoned => false,
            }
    }

    /// Whether its connection is still there, and the server has neither said more nor closed it.
    pub(crate) fn has_been_held(&self) -> bool {
        let silent = |socket: &TcpStream| {
            socket.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        self.role == Role::Active && self.socket.as_ref().is_some_and(silent)
    }

    /// Whether it has that role, is connected, and has no request out.
    pub(crate) fn is_idle(&self, role: Role) -> bool {
        self.role == role && self.state == State::Open
    }

    /// Whether nothing more will come from it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Finished | State::Abandoned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Echo, Exchange, Http};

    #[test]
    fn an_idle_connection_leaves_room_below_256_octets() {
        assert!(size_of::<Slot<<Echo as Exchange>::Dialogue>>() <= 192);
        assert!(size_of::<Slot<<Http as Exchange>::Dialogue>>() <= 192);
    }

    #[test]
    fn a_closed_slot_does_not_know_its_old_events() {
        let mut slot = Slot::<()>::new(Role::Active);
        let generation = slot.generation;
        slot.close(State::Waiting, Moment::default());
        assert_ne!(slot.generation, generation);
    }
}
