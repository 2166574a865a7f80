//! A server is there, or has done a job.

use super::counts::{Count, count, count_by};
use super::layout::{
    CAPACITY_SHIFT, FREE_MASK, INCARNATION_SHIFT, PLACES, SERVER, SLOTS, SPARE, message, record,
    slot, variable,
};
use super::outcome::{Outcome, end_with};
use super::queue::{self, point};
use super::{SERVERS, Ways, threads};
use crate::asm::Condition::{AtLeast, Equal, NotEqual};
use crate::asm::Size::{Double, Half, Word};
use crate::asm::{Assembler, Atomic, Helper, Label, Order, Register::*};
use crate::programs::frame::{PAYLOAD, START, ethernet};

pub(super) fn write(a: &mut Assembler, ways: &Ways) {
    let serve = a.label("serve");
    register(a, ways, serve);
    done(a, ways);
    a.bind(serve);
    a.store(Double, variable::ATTEMPTS, threads::LOOKS);
    let again = a.here("serve_again");
    a.note("A free thread of this server is for the job that waits longest.");
    threads::take(a, ways.about_server);
    a.bind(ways.take);
    take_oldest(a, ways, again);
}

/// A server says that it is there: welcome, if it was not, or not with this incarnation.
fn register(a: &mut Assembler, ways: &Ways, serve: Label) {
    let (unknown, known, nonsense) = (a.label("unknown"), a.label("known"), a.label("nonsense"));
    a.bind(ways.register);
    a.load(Word, R2, START.at(PAYLOAD + message::INCARNATION));
    a.jump_if(R2, Equal, 0, nonsense);
    find_place(a, unknown);
    a.jump(known);
    a.bind(unknown);
    new_place(a, ways);
    a.bind(known);
    behind(a);
    heard_now(a);
    said_now(a);
    welcome(a, serve);
    a.jump(serve);
    a.bind(nonsense);
    count(a, Count::Nonsense);
    end_with(a, Outcome::Nonsense, ways.about_job);
}

/// `SERVER` becomes the slot of the server that this is from; or goes to `unknown`.
fn find_place(a: &mut Assembler, unknown: Label) {
    a.note("Which server is it?");
    a.map(R1, PLACES);
    point(a, R2, variable::FROM);
    a.call(Helper::MapLookup);
    a.jump_if(R0, Equal, 0, unknown);
    a.load(Word, R1, R0.at(0));
    to_slot(a, unknown);
}

/// `SERVER` becomes the slot with the number in `R1`.
fn to_slot(a: &mut Assembler, wrong: Label) {
    a.jump_if(R1, AtLeast, SERVERS as i32, wrong);
    a.shl(R1, slot::SHIFT);
    a.map_value(SERVER, SLOTS, 0);
    a.add(SERVER, R1);
}

/// Takes a spare slot, writes into it where the server is, and then lets others find it. If another
/// CPU has done so for the same server meanwhile, its slot is the one.
fn new_place(a: &mut Assembler, ways: &Ways) {
    let (full, entered) = (a.label("no_place"), a.label("entered"));
    a.note("A new one: is there a slot for it?");
    a.map(R1, SPARE);
    point(a, R2, variable::NUMBER);
    a.call(Helper::MapPop);
    a.jump_if(R0, NotEqual, 0, full);
    a.load(Word, R1, variable::NUMBER);
    to_slot(a, full);
    a.note("Where it is: address and port.");
    a.load(Word, R1, variable::FROM);
    a.store(Word, SERVER.at(slot::ADDRESS), R1);
    a.load(Half, R1, variable::FROM_PORT);
    a.store(Half, SERVER.at(slot::PORT), R1);
    a.note("Let others find it, unless another CPU did so first.");
    a.map(R1, PLACES);
    point(a, R2, variable::FROM);
    point(a, R3, variable::NUMBER);
    a.mov(R4, 1);
    a.call(Helper::MapUpdate);
    a.jump_if(R0, Equal, 0, entered);
    a.note("It is known after all: give the slot back. Its next word finds the other one.");
    a.map(R1, SPARE);
    point(a, R2, variable::NUMBER);
    a.mov(R3, 0);
    a.call(Helper::MapPush);
    end_with(a, Outcome::Alive, ways.about_job);
    a.bind(full);
    count(a, Count::NoPlace);
    end_with(a, Outcome::NoPlace, ways.about_job);
    a.bind(entered);
}

/// Keeps the hardware address each time: a server may come back at its address behind other
/// hardware. A job that another CPU sends between the two stores reaches nobody, and is sent again
/// as one that is lost on its way. Before its first welcome a server has no thread, so nobody sends
/// it one.
fn behind(a: &mut Assembler) {
    a.note("The hardware that its packets come from.");
    a.load(Half, R1, START.at(ethernet::SOURCE));
    a.store(Half, SERVER.at(slot::MAC_FIRST), R1);
    a.load(Word, R1, START.at(ethernet::SOURCE + 2));
    a.store(Word, SERVER.at(slot::MAC_REST), R1);
}

fn heard_now(a: &mut Assembler) {
    a.load(Double, R1, variable::NOW);
    a.store(Double, SERVER.at(slot::HEARD), R1);
}

/// Keeps what the server says of its threads: user space compares it with what it should have.
fn said_now(a: &mut Assembler) {
    a.load(Half, R2, START.at(PAYLOAD + message::FREE));
    a.swap(Order::Little, 16, R2);
    a.store(Double, SERVER.at(slot::SAID), R2);
    a.store(Double, SERVER.at(slot::SAID_AT), R1);
}

/// If this incarnation is new, the server has as many threads as it says are free, and what its
/// former life had is lost. Of two CPUs that try this at once one succeeds, and to the other it is
/// known.
fn welcome(a: &mut Assembler, known: Label) {
    a.store(Double, variable::OUTCOME, Outcome::Alive as i32);
    a.note("Is this incarnation known?");
    a.load(Word, R3, START.at(PAYLOAD + message::INCARNATION));
    a.load(Double, R0, SERVER.at(slot::THREADS));
    a.mov(R5, R0);
    a.mov(R2, R0);
    a.shr(R2, INCARNATION_SHIFT);
    a.jump_if(R2, Equal, R3, known);
    a.note("A new one: as many threads as it says are free.");
    a.load(Half, R2, START.at(PAYLOAD + message::FREE));
    a.swap(Order::Little, 16, R2);
    a.shl(R3, INCARNATION_SHIFT);
    a.or(R3, R2);
    a.shl(R2, CAPACITY_SHIFT);
    a.or(R3, R2);
    a.atomic(Double, Atomic::CompareExchange, SERVER.at(slot::THREADS), R3);
    a.jump_if(R0, NotEqual, R5, known);
    a.store(Double, variable::OUTCOME, Outcome::Registered as i32);
    a.note("What its former life had is lost: capacity without free threads.");
    a.mov(R2, R5);
    a.shr(R2, CAPACITY_SHIFT);
    a.and(R2, FREE_MASK);
    a.and(R5, FREE_MASK);
    a.sub(R2, R5);
    count_by(a, Count::Lost);
    count(a, Count::Registered);
}

/// A job is done, if it is at this server in this incarnation; a thread is free.
fn done(a: &mut Assembler, ways: &Ways) {
    let stray = a.label("stray");
    let counted = a.label("job_done");
    a.bind(ways.done);
    find_place(a, stray);
    a.note("This life of it?");
    a.load(Word, R2, START.at(PAYLOAD + message::INCARNATION));
    a.load(Double, R3, SERVER.at(slot::THREADS));
    a.shr(R3, INCARNATION_SHIFT);
    a.jump_if(R2, NotEqual, R3, stray);
    heard_now(a);
    a.note("Is that job at this server?");
    queue::find(a, variable::ID);
    a.jump_if(R0, Equal, 0, stray);
    a.load(Word, R3, START.at(PAYLOAD + message::INCARNATION));
    place_of(a);
    a.load(Double, R1, R0.at(record::PLACE));
    a.jump_if(R1, NotEqual, R3, stray);
    a.note("Only one CPU can take it away, and only that one frees a thread.");
    queue::forget(a, variable::ID);
    a.jump_if(R0, Equal, 0, counted);
    a.bind(stray);
    count(a, Count::Stray);
    end_with(a, Outcome::Stray, ways.about_job);
    a.bind(counted);
    count(a, Count::Done);
    a.mov(R2, 1);
    a.atomic(Double, Atomic::Add, SERVER.at(slot::DONE), R2);
    a.load(Word, R5, START.at(PAYLOAD + message::INCARNATION));
    threads::give_back(a);
    a.store(Double, variable::OUTCOME, Outcome::Freed as i32);
}

/// `R3`, an incarnation, becomes the place of jobs at `SERVER`. Destroys `R4`.
pub(super) fn place_of(a: &mut Assembler) {
    a.shl(R3, INCARNATION_SHIFT);
    a.load(Word, R4, SERVER.at(slot::NUMBER));
    a.or(R3, R4);
}

/// A thread is taken: for the oldest job. If there is none it is given back, and then it is time to
/// look once more: a client may have queued a job between, and found no thread because we held it.
fn take_oldest(a: &mut Assembler, ways: &Ways, again: Label) {
    a.note("The job that waits longest.");
    queue::pop(a, variable::CHOSEN);
    a.jump_if(R0, Equal, 0, ways.give);
    a.note("None: give the thread back, and look whether one has come meanwhile.");
    a.load(Double, R5, variable::TAKEN);
    a.shr(R5, INCARNATION_SHIFT);
    threads::give_back(a);
    queue::peek(a);
    a.jump_if(R0, NotEqual, 0, ways.about_server);
    a.load(Double, R1, variable::ATTEMPTS);
    a.sub(R1, 1);
    a.store(Double, variable::ATTEMPTS, R1);
    a.jump_if(R1, NotEqual, 0, again);
    count(a, Count::Contended);
    a.jump(ways.about_server);
}
