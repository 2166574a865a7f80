//! What came of a message: it is told if that is wanted, and then the program ends.

use super::layout::{EVENTS, FREE_MASK, SERVER, slot, variable};
use super::{Parameters, Ways};
use crate::asm::Condition::Equal;
use crate::asm::Size::{Double, Word};
use crate::asm::{Assembler, Helper, Label, Register::*};
use crate::bpf::Action;
use crate::programs::filter::Trace;

/// What came of a message, as in [`crate::jobs::state::Decision`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Outcome {
    /// A job goes to a server.
    Sent,
    /// No thread is free: the job waits.
    Queued,
    /// There is no room for the job.
    Rejected,
    /// The id is known.
    Duplicate,
    /// A server is there; nothing waits for it.
    Registered,
    /// A known server lives; nothing waits, or it has no free thread.
    Alive,
    /// A thread is free; nothing waits for it.
    Freed,
    /// There is no such job at that server.
    Stray,
    /// There is no slot for another server.
    NoPlace,
    /// No balancer should get such a message.
    Nonsense,
}

impl Outcome {
    /// Each, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Sent,
        Self::Queued,
        Self::Rejected,
        Self::Duplicate,
        Self::Registered,
        Self::Alive,
        Self::Freed,
        Self::Stray,
        Self::NoPlace,
        Self::Nonsense,
    ];

    /// Whether it is about a job; if not, there is no id.
    pub const fn has_job(self) -> bool {
        !matches!(self, Self::Registered | Self::Alive | Self::NoPlace | Self::Nonsense)
    }

    /// What people read.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Queued => "queued",
            Self::Rejected => "rejected, no room",
            Self::Duplicate => "duplicate",
            Self::Registered => "registered",
            Self::Alive => "alive",
            Self::Freed => "thread free",
            Self::Stray => "stray",
            Self::NoPlace => "no place for a server",
            Self::Nonsense => "nonsense",
        }
    }
}

/// An outcome, as the ring buffer tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub time: u64,
    /// The job, if it is about one.
    pub id: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// The number of the server, and how many threads it has free now.
    pub server: Option<(u32, u16)>,
}

/// Where a record has its fields.
const TIME: i16 = 0;
const ID: i16 = 8;
const OUTCOME: i16 = 16;
const NUMBER: i16 = 20;
const FREE: i16 = 24;
const SIZE: usize = 32;
/// The number that says that there is no server.
const NOBODY: u32 = u32::MAX;

impl Event {
    /// The event in a record.
    pub fn read(record: &[u8]) -> Option<Self> {
        let record: &[u8; SIZE] = record.try_into().ok()?;
        let double = |at: i16| record[at as usize..].first_chunk().copied().map(u64::from_ne_bytes);
        let word = |at: i16| record[at as usize..].first_chunk().copied().map(u32::from_ne_bytes);
        let number = word(NUMBER)?;
        let free = word(FREE)? as u16;
        Some(Self {
            time: double(TIME)?,
            id: double(ID)?,
            outcome: Outcome::ALL.get(word(OUTCOME)? as usize).copied()?,
            server: (number != NOBODY).then_some((number, free)),
        })
    }
}

/// Ends with an outcome, by one of the ways that ask for one.
pub(super) fn end_with(a: &mut Assembler, outcome: Outcome, way: Label) {
    a.store(Double, variable::OUTCOME, outcome as i32);
    a.jump(way);
}

pub(super) fn write(a: &mut Assembler, parameters: &Parameters, ways: &Ways) {
    let (tell, end) = (a.label("tell"), a.label("end"));
    a.bind(ways.sent);
    a.note("Out by where the packet came in, with the job.");
    a.store(Double, variable::OUTCOME, Outcome::Sent as i32);
    a.load(Double, R1, variable::CHOSEN);
    a.store(Double, variable::ID, R1);
    a.mov(R7, Action::Transmit.number());
    load_server(a);
    a.jump(tell);
    a.bind(ways.about_server);
    a.note("Nothing goes out.");
    a.mov(R7, Action::Drop.number());
    load_server(a);
    a.jump(tell);
    a.bind(ways.about_job);
    a.note("Nothing goes out, and no server is concerned.");
    a.mov(R7, Action::Drop.number());
    a.mov32(R8, NOBODY as i32);
    a.mov(R9, 0);
    a.bind(tell);
    if parameters.trace == Trace::On {
        tell_it(a, end);
    }
    a.bind(end);
    a.mov(R0, R7);
    a.exit();
    a.bind(ways.pass);
    a.mov(R0, Action::Pass.number());
    a.exit();
}

/// `R8` becomes the server's number and `R9` its free threads: the frame is not needed any more.
fn load_server(a: &mut Assembler) {
    a.load(Word, R8, SERVER.at(slot::NUMBER));
    a.load(Double, R9, SERVER.at(slot::THREADS));
    a.and(R9, FREE_MASK);
}

fn tell_it(a: &mut Assembler, full: Label) {
    a.note("Tell it, if the ring buffer has room.");
    a.map(R1, EVENTS);
    a.mov(R2, SIZE as i32);
    a.mov(R3, 0);
    a.call(Helper::RingReserve);
    a.jump_if(R0, Equal, 0, full);
    for (from, to) in [(variable::NOW, TIME), (variable::ID, ID)] {
        a.load(Double, R1, from);
        a.store(Double, R0.at(to), R1);
    }
    a.load(Double, R1, variable::OUTCOME);
    a.store(Word, R0.at(OUTCOME), R1);
    a.store(Word, R0.at(NUMBER), R8);
    a.store(Double, R0.at(FREE), R9);
    a.mov(R1, R0);
    a.mov(R2, 0);
    a.call(Helper::RingSubmit);
}
