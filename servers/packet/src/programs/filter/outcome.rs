//! What the filter says: it is counted, told if that is wanted, and then done.

use super::{DECISIONS, EVENTS, Exits, Parameters, Trace, variable};
use crate::asm::Condition::Equal;
use crate::asm::Size::{Double, Word};
use crate::asm::{Assembler, Atomic, Helper, Register, Register::*};
use crate::bpf::{Action, Plain};

/// What the filter says about a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Decision {
    /// The counter is even: dropped.
    EvenDropped,
    /// The counter is odd: goes on.
    OddPassed,
    /// Another protocol or port: goes on.
    NotOurs,
    /// No counter: a payload too short, a segment without data. Goes on.
    NoCounter,
    /// A header is cut off or contradicts another: goes on, and the stack throws it away.
    Malformed,
    /// A fragment that is not the first: goes on.
    LaterFragment,
}

impl Decision {
    /// Each, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::EvenDropped,
        Self::OddPassed,
        Self::NotOurs,
        Self::NoCounter,
        Self::Malformed,
        Self::LaterFragment,
    ];

    /// What happens to the frame.
    pub const fn action(self) -> Action {
        match self {
            Self::EvenDropped => Action::Drop,
            _ => Action::Pass,
        }
    }

    /// What people read.
    pub const fn words(self) -> &'static str {
        match self {
            Self::EvenDropped => "even, dropped",
            Self::OddPassed => "odd, passed",
            Self::NotOurs => "not ours, passed",
            Self::NoCounter => "no counter, passed",
            Self::Malformed => "malformed, passed",
            Self::LaterFragment => "later fragment, passed",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::EvenDropped => "even",
            Self::OddPassed => "odd",
            Self::NotOurs => "not_ours",
            Self::NoCounter => "no_counter",
            Self::Malformed => "malformed",
            Self::LaterFragment => "later_fragment",
        }
    }

    /// Whether it is about traffic to the port, as far as is known, and so worth telling.
    const fn concerns_us(self) -> bool {
        matches!(self, Self::EvenDropped | Self::OddPassed | Self::NoCounter)
    }
}

/// A decision, as the ring buffer tells it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Event {
    /// Nanoseconds since the machine started (`CLOCK_MONOTONIC`).
    pub time: u64,
    /// The number of the [`Decision`].
    pub decision: u32,
    /// The counter; 0 if there is none.
    pub counter: u32,
}

// SAFETY: integers without padding between them.
unsafe impl Plain for Event {}

impl Event {
    /// The event in a record.
    pub fn read(record: &[u8]) -> Option<Self> {
        let (time, rest) = record.split_first_chunk()?;
        let (decision, rest) = rest.split_first_chunk()?;
        Some(Self {
            time: u64::from_ne_bytes(*time),
            decision: u32::from_ne_bytes(*decision),
            counter: u32::from_ne_bytes(*rest.first_chunk()?),
        })
    }

    /// What was decided.
    pub fn decision(&self) -> Option<Decision> {
        Decision::ALL.get(self.decision as usize).copied()
    }
}

/// Where an event has its fields.
const TIME: i16 = 0;
const DECISION: i16 = 8;
const COUNTER: i16 = 12;

/// The decision, kept across helpers.
const DECIDED: Register = R9;
/// The action, kept across helpers: the start of the frame is not needed any more.
const ACTION: Register = R7;

pub(super) fn write(a: &mut Assembler, parameters: &Parameters, exits: &Exits) {
    let (told, counted) = (a.label("tell"), a.label("count"));
    for decision in Decision::ALL {
        a.bind(exits.to(decision));
        a.note(format!("{}.", decision.words()));
        if decision == Decision::NoCounter {
            a.store(Double, variable::COUNTER, 0);
        }
        a.mov(DECIDED, decision as i32);
        a.mov(ACTION, decision.action().number());
        let tell = parameters.trace == Trace::On && decision.concerns_us();
        a.jump(if tell { told } else { counted });
    }
    a.bind(told);
    if parameters.trace == Trace::On {
        tell(a);
    }
    a.bind(counted);
    count(a);
    a.mov(R0, ACTION);
    a.exit();
}

/// Puts the decision into the ring buffer. If its reader is slow there is no room, and it is not
/// told.
fn tell(a: &mut Assembler) {
    let full = a.label("ring_full");
    a.note("Tell it, if the ring buffer has room.");
    a.map(R1, EVENTS);
    a.mov(R2, size_of::<Event>() as i32);
    a.mov(R3, 0);
    a.call(Helper::RingReserve);
    a.jump_if(R0, Equal, 0, full);
    a.mov(R6, R0);
    a.call(Helper::KtimeNs);
    a.store(Double, R6.at(TIME), R0);
    a.store(Word, R6.at(DECISION), DECIDED);
    a.load(Double, R1, variable::COUNTER);
    a.store(Word, R6.at(COUNTER), R1);
    a.mov(R1, R6);
    a.mov(R2, 0);
    a.call(Helper::RingSubmit);
    a.bind(full);
}

/// Adds one to the decision's number, which belongs to this CPU. An interrupt may still come
/// between, hence the atomic addition.
fn count(a: &mut Assembler) {
    let nowhere = a.label("nowhere");
    a.note("Count it.");
    a.store(Word, variable::KEY, DECIDED);
    a.map(R1, DECISIONS);
    a.mov(R2, R10);
    a.add(R2, i32::from(variable::KEY.offset));
    a.call(Helper::MapLookup);
    a.jump_if(R0, Equal, 0, nowhere);
    a.mov(R1, 1);
    a.atomic(Double, Atomic::Add, R0.at(0), R1);
    a.bind(nowhere);
}
