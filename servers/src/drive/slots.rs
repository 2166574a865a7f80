//! Where a worker keeps its sessions: numbered slots that are used again, each time by another
//! name.
//!
//! A slot stands for a socket. That of a client holds the session; that of a backend says whose it
//! is, or was last: it stays when the session has gone, for the connection is kept for the next
//! one.

use crate::connection::Interest;
use crate::control::Ticks;
use crate::drive::poller::{Ready, Token};
use crate::session::Session;

/// What the poller has been asked about a socket, and what it has said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// What it reports; `None` when the socket is not in it.
    pub(crate) registered: Option<Interest>,
    /// What the socket is ready for, as far as is known: writing until a write says otherwise.
    pub(crate) ready: Ready,
}

impl Watch {
    /// A socket that has just been put into the poller.
    pub(crate) fn new(interest: Interest) -> Self {
        Self { registered: Some(interest), ready: Ready::only(Interest::Write) }
    }
}

/// One session and what the reactor knows of its client's socket.
pub(crate) struct Tenant {
    /// The session.
    pub(crate) session: Box<dyn Session>,
    /// Its client's socket.
    pub(crate) watch: Watch,
    /// When it was first seen that the server is to stop.
    pub(crate) stopping: Option<Ticks>,
    /// Whether its budget was spent before its turn was over: it goes on in the next round.
    pub(crate) unfinished: bool,
}

impl Tenant {
    /// A session whose client's socket has just been put into the poller.
    pub(crate) fn new(session: Box<dyn Session>, interest: Interest) -> Self {
        Self { session, watch: Watch::new(interest), stopping: None, unfinished: false }
    }
}

/// A connection to a backend.
#[derive(Debug)]
pub(crate) struct Tied {
    /// The session that uses it, or did last.
    pub(crate) to: Token,
    /// Its socket.
    pub(crate) watch: Watch,
}

enum Occupant<T, L> {
    Session(T),
    Link(L),
}

struct Slot<T, L> {
    generation: u32,
    deadline: Ticks,
    occupant: Option<Occupant<T, L>>,
}

/// The sockets of one worker: `T` is what is known of a session, `L` of a connection to a backend.
pub(crate) struct Slots<T = Tenant, L = Tied> {
    slots: Vec<Slot<T, L>>,
    free: Vec<u32>,
    sessions: usize,
    links: usize,
}

impl<T, L> Default for Slots<T, L> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), sessions: 0, links: 0 }
    }
}

impl<T, L> Slots<T, L> {
    /// The name that the next occupant will have. Slots are numbered well below `u32::MAX`.
    pub(crate) fn next(&mut self) -> Token {
        if self.free.is_empty() {
            let slot = u32::try_from(self.slots.len()).expect("fewer slots than descriptors");
            self.slots.push(Slot { generation: 0, deadline: Ticks::NEVER, occupant: None });
            self.free.push(slot);
        }
        let slot = self.free[self.free.len() - 1];
        Token { slot, generation: self.slots[slot as usize].generation }
    }

    /// A session moves in under the name that [`next`](Self::next) gave.
    pub(crate) fn insert(&mut self, tenant: T, deadline: Ticks) {
        self.sessions += 1;
        let slot = self.occupy(Occupant::Session(tenant));
        slot.deadline = deadline;
    }

    /// A connection to a backend moves in under the name that [`next`](Self::next) gave.
    pub(crate) fn tie(&mut self, tied: L) {
        self.links += 1;
        self.occupy(Occupant::Link(tied));
    }

    fn occupy(&mut self, occupant: Occupant<T, L>) -> &mut Slot<T, L> {
        let Token { slot, .. } = self.next();
        self.free.pop();
        let slot = &mut self.slots[slot as usize];
        slot.occupant = Some(occupant);
        slot
    }

    /// The session of that name, unless it has moved out.
    pub(crate) fn of(&mut self, token: Token) -> Option<(&mut T, &mut Ticks)> {
        let slot = self.slot(token)?;
        match slot.occupant.as_mut()? {
            Occupant::Session(tenant) => Some((tenant, &mut slot.deadline)),
            Occupant::Link(_) => None,
        }
    }

    /// The connection to a backend of that name, unless it has moved out.
    pub(crate) fn tied(&mut self, token: Token) -> Option<&mut L> {
        match self.slot(token)?.occupant.as_mut()? {
            Occupant::Link(tied) => Some(tied),
            Occupant::Session(_) => None,
        }
    }

    fn slot(&mut self, token: Token) -> Option<&mut Slot<T, L>> {
        self.slots.get_mut(token.slot as usize).filter(|slot| slot.generation == token.generation)
    }

    /// Moves out; nobody has the name again. What comes back is the session, if it was one.
    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let slot = self.slot(token)?;
        let occupant = slot.occupant.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.deadline = Ticks::NEVER;
        self.free.push(token.slot);
        match occupant {
            Occupant::Session(tenant) => {
                self.sessions -= 1;
                Some(tenant)
            }
            Occupant::Link(_) => {
                self.links -= 1;
                None
            }
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions
    }

    /// Whether there are more connections to backends than the sessions may need, with one session
    /// more.
    pub(crate) fn has_links_to_spare(&self) -> bool {
        self.links > self.sessions + 1
    }

    /// The names of all sessions.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.named(|slot| matches!(slot.occupant, Some(Occupant::Session(_))))
    }

    /// Whether there is any connection to a backend: a server that is no proxy has none to look for
    /// among its sessions, of which there may be a million.
    pub(crate) fn has_links(&self) -> bool {
        self.links > 0
    }

    /// The names of all connections to backends.
    pub(crate) fn links(&self) -> Vec<Token> {
        self.named(|slot| matches!(slot.occupant, Some(Occupant::Link(_))))
    }

    /// The names of the sessions whose deadline has passed.
    pub(crate) fn overdue(&self, now: Ticks) -> Vec<Token> {
        self.named(|slot| slot.deadline <= now)
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Ticks {
        self.slots.iter().map(|slot| slot.deadline).min().unwrap_or(Ticks::NEVER)
    }

    fn named(&self, which: impl Fn(&Slot<T, L>) -> bool) -> Vec<Token> {
        let numbered = (0u32..).zip(&self.slots);
        numbered
            .filter(|(_, slot)| which(slot))
            .map(|(number, slot)| Token { slot: number, generation: slot.generation })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    use crate::session::Served;

    fn tenant() -> Tenant {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let session = Served::new(stream, wire::echo::Echo::default(), Ticks::default());
        Tenant::new(Box::new(session), Interest::Read)
    }

    fn move_in(slots: &mut Slots<Tenant, Tied>, deadline: Ticks) -> Token {
        let token = slots.next();
        slots.insert(tenant(), deadline);
        token
    }

    #[test]
    fn the_name_of_who_has_moved_out_is_nobodys() {
        let mut slots = Slots::<Tenant, Tied>::default();
        let first = move_in(&mut slots, Ticks::NEVER);
        assert!(slots.remove(first).is_some());
        let second = move_in(&mut slots, Ticks::NEVER);
        assert_eq!(first.slot, second.slot, "the slot is used again");
        assert!(slots.of(first).is_none() && slots.remove(first).is_none());
        assert!(slots.of(second).is_some());
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn the_overdue_are_those_whose_deadline_has_come() {
        let mut slots = Slots::<Tenant, Tied>::default();
        let (soon, later) = (Ticks::default(), Ticks::default().after(crate::control::TICK.into()));
        let hasty = move_in(&mut slots, soon);
        let patient = move_in(&mut slots, later);
        assert_eq!(slots.earliest(), soon);
        assert_eq!(slots.overdue(soon), [hasty]);
        assert_eq!(slots.overdue(later), [hasty, patient]);
        slots.remove(hasty);
        assert_eq!((slots.earliest(), slots.tokens()), (later, vec![patient]));
    }

    #[test]
    fn a_connection_to_a_backend_is_no_session() {
        let mut slots = Slots::<Tenant, Tied>::default();
        let session = move_in(&mut slots, Ticks::NEVER);
        let link = slots.next();
        slots.tie(Tied { to: session, watch: Watch::new(Interest::Read) });
        assert_eq!((slots.len(), slots.tokens()), (1, vec![session]));
        assert!(slots.has_links() && slots.links() == [link]);
        assert!(slots.of(link).is_none() && slots.tied(session).is_none());
        assert_eq!(slots.tied(link).map(|tied| tied.to), Some(session));
        assert!(slots.remove(link).is_none() && slots.tied(link).is_none());
        assert_eq!((slots.len(), slots.has_links()), (1, false));
    }
}
