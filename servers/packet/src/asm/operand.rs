//! What an instruction works on: registers, numbers, and places in memory.

/// A register of 64 bits. [`super`] says which is for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Register {
    /// The result.
    R0,
    /// The first argument, and the context when a program starts.
    R1,
    /// The second argument.
    R2,
    /// The third argument.
    R3,
    /// The fourth argument.
    R4,
    /// The fifth argument.
    R5,
    /// Kept across helpers.
    R6,
    /// Kept across helpers.
    R7,
    /// Kept across helpers.
    R8,
    /// Kept across helpers.
    R9,
    /// The end of the stack: variables are at negative offsets.
    R10,
}

impl Register {
    /// The place `offset` octets from where this register points.
    pub const fn at(self, offset: i16) -> Place {
        Place { base: self, offset }
    }
}

/// A place in memory: a register that points, and an offset in octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Points to memory that the verifier knows.
    pub base: Register,
    /// From there, in octets.
    pub offset: i16,
}

/// The second operand of an instruction: a register, or a number of 32 bits with its sign extended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operand {
    /// What a register holds.
    Register(Register),
    /// A number that is part of the instruction.
    Number(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

/// How much a load or a store moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Size {
    /// 1 octet.
    Byte = 0x10,
    /// 2 octets.
    Half = 0x08,
    /// 4 octets.
    Word = 0x00,
    /// 8 octets.
    Double = 0x18,
}
