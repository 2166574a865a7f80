//! Jobs that wait: a queue of ids, the oldest first, and a record of each.

use super::layout::{JOBS, WAITING, variable};
use crate::asm::{Assembler, Helper, Place, Register, Register::*};

/// Puts the id at `from` at the end; `R0` is not 0 if there is no room.
pub(super) fn push(a: &mut Assembler, from: Place) {
    a.map(R1, WAITING);
    point(a, R2, from);
    a.mov(R3, 0);
    a.call(Helper::MapPush);
}

/// Takes the oldest id to `to`; `R0` is not 0 if there is none.
pub(super) fn pop(a: &mut Assembler, to: Place) {
    a.map(R1, WAITING);
    point(a, R2, to);
    a.call(Helper::MapPop);
}

/// Looks for the oldest id; `R0` is not 0 if there is none.
pub(super) fn peek(a: &mut Assembler) {
    a.map(R1, WAITING);
    point(a, R2, variable::GLANCE);
    a.call(Helper::MapPeek);
}

/// Finds the record of the job whose id is at `id`; `R0` points to it, or is 0.
pub(super) fn find(a: &mut Assembler, id: Place) {
    a.map(R1, JOBS);
    point(a, R2, id);
    a.call(Helper::MapLookup);
}

/// Forgets the job whose id is at `id`; `R0` is 0 for the one CPU that did it.
pub(super) fn forget(a: &mut Assembler, id: Place) {
    a.map(R1, JOBS);
    point(a, R2, id);
    a.call(Helper::MapDelete);
}

/// `to` = a pointer to a variable on the stack.
pub(super) fn point(a: &mut Assembler, to: Register, variable: Place) {
    a.mov(to, variable.base);
    a.add(to, i32::from(variable.offset));
}
