//! The Internet checksum (RFC 1071), of a packet that is changed.
//!
//! It is the ones' complement of the sum of all words of 16 bits, where a carry is added at the low
//! end. Two facts make it short. The order of octets does not matter, as long as the result is
//! stored as the words were loaded. And carries may wait: words of 32 bits are added into 64, and
//! the sum is folded at the end. Packets of many megabytes would be needed for the 64 bits to
//! overflow.

use super::frame::START;
use crate::asm::Condition::NotEqual;
use crate::asm::Operation::Xor;
use crate::asm::Size::Word;
use crate::asm::{Assembler, Register::*};

/// Adds so many octets of the frame, a multiple of four, to `R0`. Destroys `R1`.
pub(super) fn add(a: &mut Assembler, from: i16, octets: i16) {
    for offset in (from..from + octets).step_by(4) {
        a.load(Word, R1, START.at(offset));
        a.add(R0, R1);
    }
}

/// Folds the sum in `R0` to 16 bits, and turns it round. Destroys `R1`.
pub(super) fn finish(a: &mut Assembler) {
    a.note("Fold 64 bits to 32 and a carry, to 16 and a carry, and the last carries.");
    for bits in [32, 16, 16, 16] {
        a.mov(R1, R0);
        a.shr(R1, bits);
        match bits {
            32 => a.mov32(R0, R0),
            _ => a.and(R0, 0xffff),
        }
        a.add(R0, R1);
    }
    a.alu(Xor, R0, 0xffff);
}

/// In UDP a checksum of 0 says that there is none; its other form says 0 (RFC 768).
pub(super) fn never_zero(a: &mut Assembler) {
    let other = a.label("not_zero");
    a.jump_if(R0, NotEqual, 0, other);
    a.mov(R0, 0xffff);
    a.bind(other);
}
