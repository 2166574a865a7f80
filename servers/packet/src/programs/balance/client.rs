//! A client has a job.

use super::counts::{Count, count};
use super::layout::{JOBS, message, record, variable};
use super::outcome::{Outcome, end_with};
use super::queue::{self, point};
use super::{Parameters, Ways, threads};
use crate::asm::Condition::{Equal, NotEqual};
use crate::asm::Size::{Double, Word};
use crate::asm::{Assembler, Helper, Register::*};
use crate::programs::frame::{PAYLOAD, START};

/// `BPF_NOEXIST` of `map_update`.
const NO_EXIST: i32 = 1;
/// The error number that says that it is there.
const EXISTS: i32 = -17;

pub(super) fn write(a: &mut Assembler, parameters: &Parameters, ways: &Ways) {
    let (busy, own) = (a.label("all_busy"), a.label("nobody_waits"));
    let rejected = a.label("rejected");
    a.bind(ways.submit);
    count(a, Count::Submitted);
    note_down(a, ways);
    threads::take_best(a, parameters, busy);
    a.note("A thread for the job that waits longest; if none does, for this one.");
    queue::pop(a, variable::CHOSEN);
    a.jump_if(R0, NotEqual, 0, own);
    a.note(
        "An older one goes, this one waits. The packet goes out with the older one in any case.",
    );
    queue::push(a, variable::ID);
    give_up_if_full(a, ways);
    count(a, Count::Queued);
    a.jump(ways.give);
    a.bind(own);
    a.load(Double, R1, variable::ID);
    a.store(Double, variable::CHOSEN, R1);
    a.jump(ways.give);
    a.bind(busy);
    a.note("All are busy: it waits.");
    queue::push(a, variable::ID);
    a.jump_if(R0, NotEqual, 0, rejected);
    count(a, Count::Queued);
    a.note("A thread may have become free since we looked, and its CPU may have found no job.");
    a.store(Double, variable::OUTCOME, Outcome::Queued as i32);
    threads::take_best(a, parameters, ways.about_job);
    a.store(Double, variable::ATTEMPTS, threads::LOOKS);
    a.jump(ways.take);
    a.bind(rejected);
    a.note("There is no room: as if it had never been there.");
    reject(a);
    end_with(a, Outcome::Rejected, ways.about_job);
}

/// Writes down that this job waits, unless there is one with its id.
fn note_down(a: &mut Assembler, ways: &Ways) {
    let (noted, duplicate) = (a.label("noted"), a.label("duplicate"));
    a.note("Write the job down, if there is none with its id.");
    a.store(Double, field(record::PLACE), 0);
    a.store(Double, field(record::SINCE), 0);
    a.load(Word, R2, START.at(PAYLOAD + message::WORK));
    a.store(Double, field(record::WORK), R2);
    a.map(R1, JOBS);
    point(a, R2, variable::ID);
    point(a, R3, variable::RECORD);
    a.mov(R4, NO_EXIST);
    a.call(Helper::MapUpdate);
    a.jump_if(R0, Equal, 0, noted);
    a.jump_if(R0, Equal, EXISTS, duplicate);
    count(a, Count::Rejected);
    end_with(a, Outcome::Rejected, ways.about_job);
    a.bind(duplicate);
    count(a, Count::Duplicates);
    end_with(a, Outcome::Duplicate, ways.about_job);
    a.bind(noted);
}

fn field(offset: i16) -> crate::asm::Place {
    R10.at(variable::RECORD.offset + offset)
}

/// After a push: if other CPUs have filled the queue since, this job is rejected, and the older one
/// that its packet carries still goes.
fn give_up_if_full(a: &mut Assembler, ways: &Ways) {
    let room = a.label("had_room");
    a.jump_if(R0, Equal, 0, room);
    reject(a);
    a.jump(ways.give);
    a.bind(room);
}

fn reject(a: &mut Assembler) {
    queue::forget(a, variable::ID);
    count(a, Count::Rejected);
}
