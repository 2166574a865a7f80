//! What the balancer counts: a row of numbers for each CPU.

use super::layout::{COUNTS, variable};
use crate::asm::Condition::NotEqual;
use crate::asm::Size::{Double, Word};
use crate::asm::{Assembler, Atomic, Helper, Label, Register::*};

/// What is counted, as in [`crate::jobs::state::Counts`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Count {
    /// Jobs that clients asked for.
    Submitted,
    /// Jobs sent to a server.
    Sent,
    /// Jobs that had to wait.
    Queued,
    /// Jobs that found the queue full.
    Rejected,
    /// Jobs with the id of one that waits or is at a server.
    Duplicates,
    /// Jobs that a server said are done.
    Done,
    /// Jobs of servers that started anew.
    Lost,
    /// Servers that came, restarted ones included.
    Registered,
    /// Servers that found no slot.
    NoPlace,
    /// `Done` for a job that is not at that server.
    Stray,
    /// Messages that no balancer should get.
    Nonsense,
    /// Frames that went on to the stack.
    Passed,
    /// Attempts to change a server's threads that other CPUs undid until there were none left.
    Contended,
}

impl Count {
    /// How many there are.
    pub(super) const ALL: usize = Self::Contended as usize + 1;
}

/// A row: the counters, and a word that is no counter, for the best score of a search.
pub(super) type Row = [u64; Count::ALL + 1];
/// The offset of that word.
pub(super) const BEST: i16 = Count::ALL as i16 * 8;

/// Finds the row of this CPU, and keeps a pointer to it. It is always there; the verifier wants to
/// see that we asked.
pub(super) fn find(a: &mut Assembler, otherwise: Label) {
    let found = a.label("counts_found");
    a.note("The counters of this CPU.");
    a.store(Word, variable::NUMBER, 0);
    a.map(R1, COUNTS);
    a.mov(R2, R10);
    a.add(R2, i32::from(variable::NUMBER.offset));
    a.call(Helper::MapLookup);
    a.jump_if(R0, NotEqual, 0, found);
    a.jump(otherwise);
    a.bind(found);
    a.store(Double, variable::COUNTS, R0);
}

/// Adds one. Destroys `R1` and `R2`.
pub(super) fn count(a: &mut Assembler, what: Count) {
    a.mov(R2, 1);
    count_by(a, what);
}

/// Adds what `R2` holds. Destroys `R1`. Atomic, because an interrupt may come between.
pub(super) fn count_by(a: &mut Assembler, what: Count) {
    a.load(Double, R1, variable::COUNTS);
    a.atomic(Double, Atomic::Add, R1.at(what as i16 * 8), R2);
}
