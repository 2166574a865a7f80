//! Where programs are written: a method an instruction, in the order in which they run.

use super::{
    Atomic, Code, Condition, Helper, Instruction, Operand, Operation, Order, Place, Register, Size,
    Width,
};

/// A place in the code to jump to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label(pub(super) usize);

/// A label's name, and which instruction it stands before, once that is known.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) instruction: Option<usize>,
}

/// A program being written.
#[derive(Debug, Default)]
pub struct Assembler {
    pub(super) instructions: Vec<Instruction>,
    pub(super) targets: Vec<Target>,
    /// Each note, with the instruction it stands before.
    pub(super) notes: Vec<(usize, String)>,
}

impl Assembler {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a note before the next instruction. It is part of the listing.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push((self.instructions.len(), text.into()));
    }

    /// A new label, to jump to before or after it is bound.
    pub fn label(&mut self, name: &'static str) -> Label {
        self.targets.push(Target { name, instruction: None });
        Label(self.targets.len() - 1)
    }

    /// The label stands before the next instruction.
    ///
    /// # Panics
    /// If it stands somewhere already: that is a mistake in the program.
    pub fn bind(&mut self, label: Label) {
        let here = self.instructions.len();
        let target = &mut self.targets[label.0];
        let before = target.instruction.replace(here);
        assert!(before.is_none(), "the label {} is bound twice", target.name);
    }

    /// A label that stands here, for the beginning of a loop.
    pub fn here(&mut self, name: &'static str) -> Label {
        let label = self.label(name);
        self.bind(label);
        label
    }

    /// The program, whole.
    ///
    /// # Panics
    /// If a label stands nowhere, or too far from a jump to it: that is a mistake in the program.
    pub fn finish(self) -> Code {
        Code::new(self)
    }

    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }
}

/// Arithmetic.
impl Assembler {
    /// `to = to operation by`, on 64 bits.
    pub fn alu(&mut self, operation: Operation, to: Register, by: impl Into<Operand>) {
        self.push(Instruction::Alu { width: Width::Bits64, operation, to, by: by.into() });
    }

    /// `to = to operation by`, on the lower 32 bits; the upper ones become 0.
    pub fn alu32(&mut self, operation: Operation, to: Register, by: impl Into<Operand>) {
        self.push(Instruction::Alu { width: Width::Bits32, operation, to, by: by.into() });
    }

    /// `to = from`
    pub fn mov(&mut self, to: Register, from: impl Into<Operand>) {
        self.alu(Operation::Move, to, from);
    }

    /// `to = from`, the lower 32 bits, the upper ones 0.
    pub fn mov32(&mut self, to: Register, from: impl Into<Operand>) {
        self.alu32(Operation::Move, to, from);
    }

    /// `to = number`, where the number has more than 31 bits.
    pub fn wide(&mut self, to: Register, number: u64) {
        self.push(Instruction::Wide { to, number });
    }

    /// `to += by`
    pub fn add(&mut self, to: Register, by: impl Into<Operand>) {
        self.alu(Operation::Add, to, by);
    }

    /// `to -= by`
    pub fn sub(&mut self, to: Register, by: impl Into<Operand>) {
        self.alu(Operation::Subtract, to, by);
    }

    /// `to &= by`
    pub fn and(&mut self, to: Register, by: impl Into<Operand>) {
        self.alu(Operation::And, to, by);
    }

    /// `to |= by`
    pub fn or(&mut self, to: Register, by: impl Into<Operand>) {
        self.alu(Operation::Or, to, by);
    }

    /// `to <<= bits`
    pub fn shl(&mut self, to: Register, bits: i32) {
        self.alu(Operation::ShiftLeft, to, bits);
    }

    /// `to >>= bits`
    pub fn shr(&mut self, to: Register, bits: i32) {
        self.alu(Operation::ShiftRight, to, bits);
    }

    /// Turns the lower `bits` (16, 32 or 64) between the order of this machine and `order`, and
    /// clears the others.
    pub fn swap(&mut self, order: Order, bits: i32, register: Register) {
        self.push(Instruction::Swap { order, bits, register });
    }
}

/// Memory.
impl Assembler {
    /// `to = *from`; the upper bits become 0.
    pub fn load(&mut self, size: Size, to: Register, from: Place) {
        self.push(Instruction::Load { size, to, from });
    }

    /// `*to = value`
    pub fn store(&mut self, size: Size, to: Place, value: impl Into<Operand>) {
        self.push(Instruction::Store { size, to, value: value.into() });
    }

    /// Changes memory in one step that no other CPU can come between. `size` is `Word` or `Double`.
    pub fn atomic(&mut self, size: Size, atomic: Atomic, at: Place, register: Register) {
        self.push(Instruction::Atomic { size, atomic, at, register });
    }

    /// `to` = the map with this name, as an argument for a helper.
    pub fn map(&mut self, to: Register, map: &'static str) {
        self.push(Instruction::Map { to, map });
    }

    /// `to` = a pointer to `offset` in the value of an array that has one. No lookup, no check.
    pub fn map_value(&mut self, to: Register, map: &'static str, offset: i32) {
        self.push(Instruction::MapValue { to, map, offset });
    }
}

/// Where to go on.
impl Assembler {
    /// Goes on at `to`.
    pub fn jump(&mut self, to: Label) {
        self.push(Instruction::Jump { to });
    }

    /// Goes on at `to` if the comparison holds, on 64 bits.
    pub fn jump_if(
        &mut self,
        left: Register,
        condition: Condition,
        right: impl Into<Operand>,
        to: Label,
    ) {
        let (width, right) = (Width::Bits64, right.into());
        self.push(Instruction::JumpIf { width, left, condition, right, to });
    }

    /// Goes on at `to` if the comparison holds for the lower 32 bits.
    pub fn jump32_if(
        &mut self,
        left: Register,
        condition: Condition,
        right: impl Into<Operand>,
        to: Label,
    ) {
        let (width, right) = (Width::Bits32, right.into());
        self.push(Instruction::JumpIf { width, left, condition, right, to });
    }

    /// Calls the kernel: `R1` to `R5` in, `R0` out.
    pub fn call(&mut self, helper: Helper) {
        self.push(Instruction::Call(helper));
    }

    /// Ends the program with `R0`.
    pub fn exit(&mut self) {
        self.push(Instruction::Exit);
    }
}
