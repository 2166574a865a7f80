//! What user space does now and then for the balancer, because a program that runs for a packet
//! can't: it sends again what was lost, and forgets and gives away what belonged to the dead.

use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::Duration;

use super::keeper::{Health, Keeper, now, threads};
use super::layout::{INCARNATION_SHIFT, Record, Slot, Threads};
use crate::bpf::{Flag, wait_for_programs};
use crate::jobs::message::{Message, More};

/// A server that said that it has more free threads than it is believed to have.
struct Idle {
    address: SocketAddrV4,
    place: u64,
    /// Only a job that was given before this time should have reached it when it said so.
    before: u64,
    /// The one that was given first, of those.
    oldest: Option<(u64, Record)>,
}

impl Idle {
    fn consider(&mut self, id: u64, record: Record) {
        let older = self.oldest.is_none_or(|(_, than)| record.since < than.since);
        if record.place == self.place && record.since <= self.before && older {
            self.oldest = Some((id, record));
        }
    }
}

impl Keeper {
    /// Forgets jobs of former lives of servers. They are counted as lost already; until this is
    /// called their ids are taken for known.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn forget_lost(&self) -> io::Result<()> {
        for id in self.jobs.keys::<u64>()? {
            let record = self.jobs.lookup::<u64, Record>(&id)?;
            if record.is_some_and(|record| self.is_lost(&record)) {
                self.jobs.remove(&id)?;
            }
        }
        Ok(())
    }

    fn is_lost(&self, record: &Record) -> bool {
        let slot = self.slots.values().get(record.place as u32 as usize);
        let lives = slot.map_or(0, |slot| threads(slot).incarnation);
        record.place != 0 && lives != (record.place >> 32) as u32
    }

    /// Jobs to send once more, and where to. UDP may have lost a `Job` or a `Done`, and then a
    /// thread would be taken for busy for ever: so a living server that said that it has more free
    /// threads than it is believed to have gets its oldest job again, if that was given `age`
    /// before it said so. A server that has done the job says so again and does nothing else.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn repeats(&self, age: Duration) -> io::Result<Vec<(SocketAddrV4, Message)>> {
        let now = now();
        let mut idle = self.idle(now, age.as_nanos() as u64);
        if idle.iter().any(Option::is_some) {
            self.find_oldest(&mut idle)?;
        }
        let mut repeats = Vec::new();
        for Idle { address, place, oldest, .. } in idle.into_iter().flatten() {
            let Some((id, record)) = oldest else { continue };
            self.give_again(id, record, now)?;
            let incarnation = (place >> INCARNATION_SHIFT) as u32;
            repeats.push((address, Message::job(id, record.work, incarnation, More::None)));
        }
        Ok(repeats)
    }

    /// By slot: its server, if that lives and seems to have less to do than it was given.
    fn idle(&self, now: u64, age: u64) -> Vec<Option<Idle>> {
        let idle = |slot: &Slot| {
            let Threads { incarnation, free, .. } = threads(slot);
            let says_more = slot.said.load(Relaxed) > free.into();
            (says_more && self.health(slot, now).is_alive()).then(|| Idle {
                address: self.server(slot, now).address,
                place: place(incarnation, slot),
                before: slot.said_at.load(Relaxed).saturating_sub(age),
                oldest: None,
            })
        };
        self.slots.values().iter().map(idle).collect()
    }

    /// One walk through all jobs, for however many servers: a job takes two system calls.
    fn find_oldest(&self, idle: &mut [Option<Idle>]) -> io::Result<()> {
        for id in self.jobs.keys::<u64>()? {
            let Some(record) = self.jobs.lookup::<u64, Record>(&id)? else { continue };
            if let Some(Some(server)) = idle.get_mut(record.place as u32 as usize) {
                server.consider(id, record);
            }
        }
        Ok(())
    }

    /// Notes the time, so that next it is another one's turn. A job that is done meanwhile stays
    /// done.
    fn give_again(&self, id: u64, record: Record, now: u64) -> io::Result<()> {
        let again = self.jobs.update(&id, &Record { since: now, ..record }, Flag::Exist);
        match again {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => {
                self.repeated.fetch_add(1, Relaxed);
                Ok(())
            }
        }
    }

    /// If no slot is spare, takes that of the server that is dead for longest. What it had is lost.
    /// Says whose it was.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn make_place(&self) -> io::Result<Option<SocketAddrV4>> {
        let now = now();
        let values = self.slots.values();
        if values.iter().any(|slot| threads(slot).incarnation == 0) {
            return Ok(None);
        }
        let dead = values.iter().filter(|slot| self.health(slot, now) == Health::Dead);
        let Some(slot) = dead.min_by_key(|slot| slot.heard.load(Relaxed)) else { return Ok(None) };
        let whose = self.server(slot, now).address;
        self.evict(slot)?;
        Ok(Some(whose))
    }

    /// First nobody finds the slot any more, then nobody takes a thread of it, then its jobs are
    /// forgotten, and only then it is spare: the next owner may have the same incarnation. A
    /// program on another CPU that found the slot before goes on with it: it may welcome the server
    /// once more, or note down a job. So each step waits for those that run.
    fn evict(&self, slot: &Slot) -> io::Result<()> {
        self.places.remove(&key(slot))?;
        wait_for_programs();
        let former = Threads::from(slot.threads.swap(0, AcqRel));
        wait_for_programs();
        let busy = former.capacity.saturating_sub(former.free);
        self.evicted.fetch_add(busy.into(), Relaxed);
        self.forget_lost()?;
        slot.given.store(0, Relaxed);
        slot.done.store(0, Relaxed);
        self.spare.push(&slot.number.load(Relaxed))
    }
}

/// A server's key among the places: address and port, as in a header.
fn key(slot: &Slot) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&slot.address.load(Relaxed).to_ne_bytes());
    key[4..6].copy_from_slice(&slot.port.load(Relaxed).to_ne_bytes());
    key
}

/// The place of jobs at a server in one of its lives, as their records have it.
fn place(incarnation: u32, slot: &Slot) -> u64 {
    u64::from(incarnation) << INCARNATION_SHIFT | u64::from(slot.number.load(Relaxed))
}
