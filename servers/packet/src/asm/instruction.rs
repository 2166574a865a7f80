//! One instruction, and the eight octets it becomes (RFC 9669, sections 3 to 5).
//!
//! ```text
//!    8 bits    4     4       16 bits          32 bits
//! | opcode | src | dst |    offset    |       number       |
//! ```
//!
//! The low three bits of the opcode are its class. What the others mean depends on the class: for
//! arithmetic and jumps the high four are the operation and bit 3 says whether the second operand
//! is a register; for loads and stores the high three are the mode and the two below them the size.
//! An instruction with a number of 64 bits, or with a map, takes two such slots.

use super::{Helper, Label, Operand, Place, Register, Size};

/// Classes of instructions, the low three bits of the opcode.
mod class {
    pub(super) const LOAD_WIDE: u8 = 0x00;
    pub(super) const LOAD: u8 = 0x01;
    pub(super) const STORE_NUMBER: u8 = 0x02;
    pub(super) const STORE: u8 = 0x03;
    pub(super) const ALU: u8 = 0x04;
    pub(super) const JUMP: u8 = 0x05;
    pub(super) const JUMP_32: u8 = 0x06;
    pub(super) const ALU_64: u8 = 0x07;
}

/// Bit 3 of arithmetic and jumps: the second operand is a register.
const FROM_REGISTER: u8 = 0x08;
/// Modes of loads and stores.
const MODE_MEMORY: u8 = 0x60;
const MODE_ATOMIC: u8 = 0xc0;
/// Operations that stand alone.
const SWAP: u8 = 0xd0;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
/// In the source field of a wide load: the number is a map, or the place of its only value.
const MAP: u8 = 1;
const MAP_VALUE: u8 = 2;

/// How many bits arithmetic or a comparison looks at. 32 clears the upper half of its target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Width {
    /// All.
    Bits64,
    /// The lower half.
    Bits32,
}

/// Arithmetic, all without a sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
#[allow(missing_docs)] // Each is what it says.
pub enum Operation {
    Add = 0x00,
    Subtract = 0x10,
    Multiply = 0x20,
    Divide = 0x30,
    Or = 0x40,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Modulo = 0x90,
    Xor = 0xa0,
    Move = 0xb0,
}

/// When to jump; numbers have no sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Condition {
    /// `==`
    Equal = 0x10,
    /// `>`
    Above = 0x20,
    /// `>=`
    AtLeast = 0x30,
    /// `&`: at least one of these bits is set.
    AnyBit = 0x40,
    /// `!=`
    NotEqual = 0x50,
    /// `<`
    Below = 0xa0,
    /// `<=`
    AtMost = 0xb0,
}

/// The order of octets that a number is turned to, or turned from: it is the same work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Order {
    /// Least significant first. Does nothing on most machines.
    Little = 0x00,
    /// Most significant first, as in the headers of the Internet.
    Big = 0x08,
}

/// What happens to memory in one step that no other CPU can come between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Atomic {
    /// Add the register.
    Add = 0x00,
    /// Add the register, which then holds what was there before.
    FetchAdd = 0x01,
    /// Exchange with the register.
    Exchange = 0xe1,
    /// Store the register if `R0` is what is there. `R0` then holds what was there before.
    CompareExchange = 0xf1,
}

/// One instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)] // The fields are those of the methods of `Assembler`.
pub enum Instruction {
    /// `to = to op by`
    Alu { width: Width, operation: Operation, to: Register, by: Operand },
    /// Turns the lower `bits` of a register, and clears the others.
    Swap { order: Order, bits: i32, register: Register },
    /// `to = *from`
    Load { size: Size, to: Register, from: Place },
    /// `*to = value`
    Store { size: Size, to: Place, value: Operand },
    /// Changes memory in one step.
    Atomic { size: Size, atomic: Atomic, at: Place, register: Register },
    /// `to = number`, with all of its 64 bits
    Wide { to: Register, number: u64 },
    /// `to` = the map with this name, for a helper
    Map { to: Register, map: &'static str },
    /// `to` = a pointer into the only value of an array
    MapValue { to: Register, map: &'static str, offset: i32 },
    /// Goes on at a label.
    Jump { to: Label },
    /// Goes on at a label if a comparison holds.
    JumpIf { width: Width, left: Register, condition: Condition, right: Operand, to: Label },
    /// Calls the kernel.
    Call(Helper),
    /// Ends the program with `R0`.
    Exit,
}

impl Instruction {
    /// How many slots of eight octets it takes.
    pub(super) const fn slots(&self) -> usize {
        match self {
            Self::Wide { .. } | Self::Map { .. } | Self::MapValue { .. } => 2,
            _ => 1,
        }
    }

    /// The name of the map it needs.
    pub(super) const fn map(&self) -> Option<&'static str> {
        match *self {
            Self::Map { map, .. } | Self::MapValue { map, .. } => Some(map),
            _ => None,
        }
    }

    /// Its slots. `distance` is from the next slot to the target of a jump, in slots; `map` is the
    /// descriptor of the map that it names.
    pub(super) fn encode(&self, distance: i16, map: i32) -> Vec<u64> {
        match *self {
            Self::Alu { width, operation, to, by } => {
                vec![second(operation as u8 | alu(width), to, 0, by)]
            }
            Self::Swap { order, bits, register } => {
                vec![slot(SWAP | order as u8 | class::ALU, register, 0, 0, bits)]
            }
            Self::Load { size, to, from } => {
                let opcode = MODE_MEMORY | size as u8 | class::LOAD;
                vec![slot(opcode, to, from.base as u8, from.offset, 0)]
            }
            Self::Store { size, to, value } => vec![store(size, to, value)],
            Self::Atomic { size, atomic, at, register } => {
                let opcode = MODE_ATOMIC | size as u8 | class::STORE;
                vec![slot(opcode, at.base, register as u8, at.offset, atomic as i32)]
            }
            Self::Wide { to, number } => wide(to, 0, number as i32, (number >> 32) as i32),
            Self::Map { to, .. } => wide(to, MAP, map, 0),
            Self::MapValue { to, offset, .. } => wide(to, MAP_VALUE, map, offset),
            Self::Jump { .. } => vec![slot(class::JUMP, Register::R0, 0, distance, 0)],
            Self::JumpIf { width, left, condition, right, .. } => {
                vec![second(condition as u8 | jump(width), left, distance, right)]
            }
            Self::Call(helper) => {
                vec![slot(CALL | class::JUMP, Register::R0, 0, 0, helper as i32)]
            }
            Self::Exit => vec![slot(EXIT | class::JUMP, Register::R0, 0, 0, 0)],
        }
    }
}

const fn alu(width: Width) -> u8 {
    match width {
        Width::Bits64 => class::ALU_64,
        Width::Bits32 => class::ALU,
    }
}

const fn jump(width: Width) -> u8 {
    match width {
        Width::Bits64 => class::JUMP,
        Width::Bits32 => class::JUMP_32,
    }
}

fn store(size: Size, to: Place, value: Operand) -> u64 {
    let opcode = MODE_MEMORY | size as u8;
    match value {
        Operand::Register(register) => {
            slot(opcode | class::STORE, to.base, register as u8, to.offset, 0)
        }
        Operand::Number(number) => {
            slot(opcode | class::STORE_NUMBER, to.base, 0, to.offset, number)
        }
    }
}

fn wide(to: Register, source: u8, low: i32, high: i32) -> Vec<u64> {
    let opcode = Size::Double as u8 | class::LOAD_WIDE;
    vec![slot(opcode, to, source, 0, low), (high as u32 as u64) << 32]
}

/// A slot whose second operand is a register or a number.
fn second(opcode: u8, first: Register, offset: i16, operand: Operand) -> u64 {
    match operand {
        Operand::Register(source) => slot(opcode | FROM_REGISTER, first, source as u8, offset, 0),
        Operand::Number(number) => slot(opcode, first, 0, offset, number),
    }
}

/// Eight octets, as a number in the order of this machine: on a machine with the least significant
/// octet first the opcode comes first in memory, as the kernel wants it.
fn slot(opcode: u8, to: Register, source: u8, offset: i16, number: i32) -> u64 {
    let registers = source << 4 | to as u8;
    let [low, high] = offset.to_le_bytes();
    let [a, b, c, d] = number.to_le_bytes();
    u64::from_le_bytes([opcode, registers, low, high, a, b, c, d])
}
