//! Where things are: in maps, and on the stack.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use crate::asm::{Place, Register, Register::*};
use crate::bpf::{Atomics, Plain};

/// The servers: one array, as one value, so that a program needs no lookup for it.
pub(super) const SLOTS: &str = "slots";
/// Which slot a server has, by its address and port.
pub(super) const PLACES: &str = "places";
/// Slots that no server has.
pub(super) const SPARE: &str = "spare";
/// The ids of jobs that wait.
pub(super) const WAITING: &str = "waiting";
/// Each job that waits or is at a server, by its id.
pub(super) const JOBS: &str = "jobs";
/// What was counted, for each CPU.
pub(super) const COUNTS: &str = "counts";
/// What was decided.
pub(super) const EVENTS: &str = "events";

/// A server, as the program and user space share it.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Slot {
    /// Incarnation, capacity and free threads, see [`Threads`].
    pub(super) threads: AtomicU64,
    /// When it was heard last, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) heard: AtomicU64,
    /// Its address, as in a header.
    pub(super) address: AtomicU32,
    /// Its port, as in a header.
    pub(super) port: AtomicU16,
    /// Its hardware address: two octets, and four more.
    pub(super) mac_first: AtomicU16,
    pub(super) mac_rest: AtomicU32,
    /// Which slot this is. Written once.
    pub(super) number: AtomicU32,
    /// How many jobs it was given.
    pub(super) given: AtomicU64,
    /// How many of them it has done.
    pub(super) done: AtomicU64,
    /// How many threads it said are free, when it registered last.
    pub(super) said: AtomicU64,
    /// When that was.
    pub(super) said_at: AtomicU64,
}

// SAFETY: atomic integers, which fill their 64 octets without a gap.
unsafe impl Atomics for Slot {}

/// Offsets in a [`Slot`].
pub(super) mod slot {
    use std::mem::offset_of;

    use super::Slot;

    pub(in super::super) const THREADS: i16 = offset_of!(Slot, threads) as i16;
    pub(in super::super) const HEARD: i16 = offset_of!(Slot, heard) as i16;
    pub(in super::super) const ADDRESS: i16 = offset_of!(Slot, address) as i16;
    pub(in super::super) const PORT: i16 = offset_of!(Slot, port) as i16;
    pub(in super::super) const MAC_FIRST: i16 = offset_of!(Slot, mac_first) as i16;
    pub(in super::super) const MAC_REST: i16 = offset_of!(Slot, mac_rest) as i16;
    pub(in super::super) const NUMBER: i16 = offset_of!(Slot, number) as i16;
    pub(in super::super) const GIVEN: i16 = offset_of!(Slot, given) as i16;
    pub(in super::super) const DONE: i16 = offset_of!(Slot, done) as i16;
    pub(in super::super) const SAID: i16 = offset_of!(Slot, said) as i16;
    pub(in super::super) const SAID_AT: i16 = offset_of!(Slot, said_at) as i16;
    /// A power of two: slots are found by a shift.
    pub(in super::super) const SIZE: i32 = size_of::<Slot>() as i32;
    pub(in super::super) const SHIFT: i32 = SIZE.trailing_zeros() as i32;
}

/// What the first word of a [`Slot`] says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Threads {
    /// The upper 32 bits; 0 if there is no server.
    pub(super) incarnation: u32,
    /// The next 16.
    pub(super) capacity: u16,
    /// The lowest 16: so one more free thread is one more of the word.
    pub(super) free: u16,
}

/// Where the program finds the parts of [`Threads`].
pub(super) const INCARNATION_SHIFT: i32 = 32;
pub(super) const CAPACITY_SHIFT: i32 = 16;
pub(super) const FREE_MASK: i32 = 0xffff;

impl From<u64> for Threads {
    fn from(word: u64) -> Self {
        Self {
            incarnation: (word >> INCARNATION_SHIFT) as u32,
            capacity: (word >> CAPACITY_SHIFT) as u16,
            free: word as u16,
        }
    }
}

/// A job, as the map of jobs has it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Record {
    /// The incarnation and the number of the server's slot; 0 while it waits.
    pub(super) place: u64,
    /// When it was given, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) since: u64,
    /// In microseconds.
    pub(super) work: u32,
    pub(super) padding: u32,
}

// SAFETY: integers without a gap between them.
unsafe impl Plain for Record {}

/// Offsets in a [`Record`].
pub(super) mod record {
    pub(in super::super) const PLACE: i16 = 0;
    pub(in super::super) const SINCE: i16 = 8;
    pub(in super::super) const WORK: i16 = 16;
}

/// Offsets in a [`crate::jobs::message::Message`].
pub(super) mod message {
    pub(in super::super) const MAGIC: i16 = 0;
    pub(in super::super) const KIND: i16 = 4;
    pub(in super::super) const MORE: i16 = 5;
    pub(in super::super) const FREE: i16 = 6;
    pub(in super::super) const ID: i16 = 8;
    pub(in super::super) const WORK: i16 = 16;
    pub(in super::super) const INCARNATION: i16 = 20;
}

/// The slot of the server that this is about, kept across helpers.
pub(super) const SERVER: Register = R9;

/// Variables on the stack, of 64 bits unless it says otherwise.
pub(super) mod variable {
    use super::{Place, R10};

    /// The id in the message.
    pub(in super::super) const ID: Place = R10.at(-8);
    /// Where the message is from: address, port, and 0, as the key of a place.
    pub(in super::super) const FROM: Place = R10.at(-16);
    /// The port in [`FROM`], 16 bits, and what is behind it.
    pub(in super::super) const FROM_PORT: Place = R10.at(-12);
    pub(in super::super) const FROM_REST: Place = R10.at(-10);
    /// When this packet came.
    pub(in super::super) const NOW: Place = R10.at(-24);
    /// A pointer to what this CPU has counted.
    pub(in super::super) const COUNTS: Place = R10.at(-32);
    /// What came of the message if no job goes out.
    pub(in super::super) const OUTCOME: Place = R10.at(-40);
    /// A new job: a record of 24 octets.
    pub(in super::super) const RECORD: Place = R10.at(-64);
    /// The number of a slot, 32 bits.
    pub(in super::super) const NUMBER: Place = R10.at(-72);
    /// The id of the job that goes out.
    pub(in super::super) const CHOSEN: Place = R10.at(-80);
    /// The server's threads as they were after one was taken.
    pub(in super::super) const TAKEN: Place = R10.at(-88);
    /// What a look into the queue gave, not used.
    pub(in super::super) const GLANCE: Place = R10.at(-96);
    /// How many more attempts there are.
    pub(in super::super) const ATTEMPTS: Place = R10.at(-104);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_what_the_program_takes_it_for() {
        assert_eq!((slot::SIZE, 1 << slot::SHIFT), (64, 64));
        assert_eq!(std::mem::offset_of!(Slot, mac_rest), slot::MAC_FIRST as usize + 2);
        let threads = Threads { incarnation: 7, capacity: 5, free: 3 };
        assert_eq!(Threads::from(7 << 32 | 5 << 16 | 3), threads);
    }
}
