//! Threads of servers: taken and given back by compare-and-exchange.

use super::counts::{BEST, Count, count};
use super::layout::{FREE_MASK, INCARNATION_SHIFT, SERVER, SLOTS, slot, variable};
use super::{Parameters, SERVERS};
use crate::asm::Condition::{AtLeast, AtMost, Equal, NotEqual};
use crate::asm::Size::Double;
use crate::asm::{Assembler, Atomic, Label, Register::*};

/// How often a change is attempted that other CPUs undo.
const ATTEMPTS: i32 = 32;
/// How often something is looked for again that other CPUs have changed meanwhile.
pub(super) const LOOKS: i32 = 4;

/// Where the distance from the end lies in a score.
const SCORE_SHIFT: i32 = 8;

/// Takes a thread of the server at `SERVER`, and keeps what is left in `TAKEN`; or goes to `none`.
pub(super) fn take(a: &mut Assembler, none: Label) {
    let taken = a.label("thread_taken");
    a.mov(R4, ATTEMPTS);
    let again = a.here("take_thread");
    a.note("Take a thread, if there is one, unless another CPU changes the word meanwhile.");
    a.load(Double, R0, SERVER.at(slot::THREADS));
    a.mov(R2, R0);
    a.mov(R3, R0);
    a.and(R3, FREE_MASK);
    a.jump_if(R3, Equal, 0, none);
    a.mov(R3, R0);
    a.sub(R3, 1);
    a.atomic(Double, Atomic::CompareExchange, SERVER.at(slot::THREADS), R3);
    a.jump_if(R0, Equal, R2, taken);
    a.sub(R4, 1);
    a.jump_if(R4, NotEqual, 0, again);
    count(a, Count::Contended);
    a.jump(none);
    a.bind(taken);
    a.store(Double, variable::TAKEN, R3);
}

/// Gives back a thread of the incarnation in `R5`, unless the server has started anew since.
pub(super) fn give_back(a: &mut Assembler) {
    let given = a.label("thread_free");
    a.mov(R4, ATTEMPTS);
    let again = a.here("free_thread");
    a.note("Give the thread back, unless it belongs to a former life of the server.");
    a.load(Double, R0, SERVER.at(slot::THREADS));
    a.mov(R2, R0);
    a.mov(R3, R0);
    a.shr(R3, INCARNATION_SHIFT);
    a.jump_if(R3, NotEqual, R5, given);
    a.mov(R3, R0);
    a.add(R3, 1);
    a.atomic(Double, Atomic::CompareExchange, SERVER.at(slot::THREADS), R3);
    a.jump_if(R0, Equal, R2, given);
    a.sub(R4, 1);
    a.jump_if(R4, NotEqual, 0, again);
    count(a, Count::Contended);
    a.bind(given);
}

/// Takes a thread of the living server with the most free ones, of several the first; or goes to
/// `none`.
/// `SERVER` becomes its slot.
pub(super) fn take_best(a: &mut Assembler, parameters: &Parameters, none: Label) {
    let (found, gone) = (a.label("best_taken"), a.label("best_gone"));
    a.store(Double, variable::ATTEMPTS, LOOKS);
    let again = a.here("look_for_best");
    find_best(a, parameters, none);
    take(a, gone);
    a.jump(found);
    a.bind(gone);
    a.note("Another CPU was faster: look again.");
    a.load(Double, R1, variable::ATTEMPTS);
    a.sub(R1, 1);
    a.store(Double, variable::ATTEMPTS, R1);
    a.jump_if(R1, NotEqual, 0, again);
    a.jump(none);
    a.bind(found);
}

/// Goes through all slots. The score of one is its free threads, and in the lowest octet how far it
/// is from the end: so the highest score is the one that is looked for. Destroys the context.
///
/// The best score so far is kept in memory of this CPU that the verifier does not follow. In a
/// register it would be followed through each round of the loop, by each path: more than it has
/// patience for.
fn find_best(a: &mut Assembler, parameters: &Parameters, none: Label) {
    let next = a.label("next_slot");
    a.note("The best of the living servers: most free threads first, then the first.");
    a.map_value(SERVER, SLOTS, 0);
    a.mov(R1, SERVER);
    a.mov(R2, SERVERS as i32);
    a.load(Double, R3, variable::COUNTS);
    a.store(Double, R3.at(BEST), 0);
    a.wide(R5, parameters.patience.as_nanos() as u64);
    a.load(Double, R6, variable::NOW);
    let each = a.here("each_slot");
    a.load(Double, R4, R1.at(slot::THREADS));
    a.and(R4, FREE_MASK);
    a.jump_if(R4, Equal, 0, next);
    a.shl(R4, SCORE_SHIFT);
    a.or(R4, R2);
    a.load(Double, R0, R3.at(BEST));
    a.jump_if(R4, AtMost, R0, next);
    a.note("Better; but does it live?");
    a.load(Double, R0, R1.at(slot::HEARD));
    a.add(R0, R5);
    a.jump_if(R0, AtMost, R6, next);
    a.store(Double, R3.at(BEST), R4);
    a.bind(next);
    a.add(R1, slot::SIZE);
    a.sub(R2, 1);
    a.jump_if(R2, NotEqual, 0, each);
    a.note("From the score back to the slot.");
    a.load(Double, R3, R3.at(BEST));
    a.jump_if(R3, Equal, 0, none);
    a.and(R3, (1 << SCORE_SHIFT) - 1);
    a.mov(R1, SERVERS as i32);
    a.sub(R1, R3);
    a.jump_if(R1, AtLeast, SERVERS as i32, none);
    a.shl(R1, slot::SHIFT);
    a.add(SERVER, R1);
}
