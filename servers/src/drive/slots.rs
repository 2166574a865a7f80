//! Where a reactor keeps its sessions: numbered slots that are used again, each time by another name.

use crate::connection::Interest;
use crate::control::Ticks;
use crate::drive::poller::Token;
use crate::session::Session;

/// One session and what the reactor knows of it.
pub(crate) struct Tenant {
    /// The session.
    pub(crate) session: Box<dyn Session>,
    /// What the poller has been asked for.
    pub(crate) registered: Interest,
}

struct Slot {
    generation: u32,
    deadline: Ticks,
    tenant: Option<Tenant>,
}

/// The sessions of one reactor.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    /// The name that the next tenant will have. Slots are numbered well below `u32::MAX`.
    pub(crate) fn next(&mut self) -> Token {
        if self.free.is_empty() {
            let slot = u32::try_from(self.slots.len()).expect("fewer slots than descriptors");
            self.slots.push(Slot { generation: 0, deadline: Ticks::NEVER, tenant: None });
            self.free.push(slot);
        }
        let slot = self.free[self.free.len() - 1];
        Token { slot, generation: self.slots[slot as usize].generation }
    }

    /// Moves in under the name that [`next`](Self::next) gave.
    pub(crate) fn insert(&mut self, tenant: Tenant, deadline: Ticks) {
        let Token { slot, .. } = self.next();
        self.free.pop();
        let slot = &mut self.slots[slot as usize];
        slot.tenant = Some(tenant);
        slot.deadline = deadline;
    }

    /// The tenant of that name, unless it has moved out.
    pub(crate) fn of(&mut self, token: Token) -> Option<(&mut Tenant, &mut Ticks)> {
        let slot = self.slots.get_mut(token.slot as usize)?;
        if slot.generation != token.generation {
            return None;
        }
        Some((slot.tenant.as_mut()?, &mut slot.deadline))
    }

    /// Moves out; nobody has the name again.
    pub(crate) fn remove(&mut self, token: Token) -> Option<Tenant> {
        self.of(token)?;
        let slot = &mut self.slots[token.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.deadline = Ticks::NEVER;
        self.free.push(token.slot);
        slot.tenant.take()
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The names of all sessions.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.named(|slot| slot.tenant.is_some())
    }

    /// The names of the sessions whose deadline has passed.
    pub(crate) fn overdue(&self, now: Ticks) -> Vec<Token> {
        self.named(|slot| slot.deadline <= now)
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Ticks {
        self.slots.iter().map(|slot| slot.deadline).min().unwrap_or(Ticks::NEVER)
    }

    fn named(&self, which: impl Fn(&Slot) -> bool) -> Vec<Token> {
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
        Tenant { session: Box::new(session), registered: Interest::Read }
    }

    fn move_in(slots: &mut Slots, deadline: Ticks) -> Token {
        let token = slots.next();
        slots.insert(tenant(), deadline);
        token
    }

    #[test]
    fn the_name_of_who_has_moved_out_is_nobodys() {
        let mut slots = Slots::default();
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
        let mut slots = Slots::default();
        let (soon, later) = (Ticks::default(), Ticks::default().after(crate::control::TICK.into()));
        let hasty = move_in(&mut slots, soon);
        let patient = move_in(&mut slots, later);
        assert_eq!(slots.earliest(), soon);
        assert_eq!(slots.overdue(soon), [hasty]);
        assert_eq!(slots.overdue(later), [hasty, patient]);
        slots.remove(hasty);
        assert_eq!((slots.earliest(), slots.tokens()), (later, vec![patient]));
    }
}
