//! A program for people, in the notation of the kernel's verifier: `r2 = *(u32 *)(r1 + 4)`.

use std::fmt::{self, Display, Formatter};

use super::{
    Atomic, Code, Condition, Instruction, Label, Operand, Operation, Order, Place, Register, Size,
    Width,
};

impl Display for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, instruction) in self.instructions.iter().enumerate() {
            for (label, target) in self.targets.iter().enumerate() {
                if target.instruction == Some(index) {
                    writeln!(f, "{}:", self.name(Label(label)))?;
                }
            }
            for (_, note) in self.notes.iter().filter(|(at, _)| *at == index) {
                writeln!(f, "; {note}")?;
            }
            writeln!(f, "{:4}  {}", self.slots[index], Line(self, instruction))?;
        }
        Ok(())
    }
}

/// An instruction, with the names that its program gives to labels.
struct Line<'a>(&'a Code, &'a Instruction);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.1 {
            Instruction::Alu { width, operation, to, by } => {
                write!(f, "{} {} {}", Seen(width, to), operation.sign(), Second(width, by))
            }
            Instruction::Swap { order, bits, register } => {
                write!(f, "{register} = {}{bits} {register}", order.prefix())
            }
            Instruction::Load { size, to, from } => write!(f, "{to} = *({size} *)({from})"),
            Instruction::Store { size, to, value } => {
                write!(f, "*({size} *)({to}) = {}", Second(Width::Bits64, value))
            }
            Instruction::Atomic { size, atomic, at, register } => {
                atomic.line(f, format_args!("({size} *)({at})"), register)
            }
            Instruction::Wide { to, number } => write!(f, "{to} = {number:#x}"),
            Instruction::Map { to, map } => write!(f, "{to} = map {map}"),
            Instruction::MapValue { to, map, offset } => {
                write!(f, "{to} = value of {map} + {offset}")
            }
            Instruction::Jump { to } => write!(f, "goto {}", self.0.name(to)),
            Instruction::JumpIf { width, left, condition, right, to } => {
                let (left, right) = (Seen(width, left), Second(width, right));
                write!(f, "if {left} {} {right} goto {}", condition.sign(), self.0.name(to))
            }
            Instruction::Call(helper) => write!(f, "call {}", helper.name()),
            Instruction::Exit => f.write_str("exit"),
        }
    }
}

/// A register as an instruction of some width sees it: `r3`, or its lower half `w3`.
struct Seen(Width, Register);

impl Display for Seen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Width::Bits64 => write!(f, "{}", self.1),
            Width::Bits32 => write!(f, "w{}", self.1 as u8),
        }
    }
}

/// A second operand as an instruction of some width sees it.
struct Second(Width, Operand);

impl Display for Second {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.1 {
            Operand::Register(register) => write!(f, "{}", Seen(self.0, register)),
            // What is larger than an octet is rather a pattern of bits than a number of things.
            Operand::Number(number) if number > 0xff => write!(f, "{number:#x}"),
            Operand::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Display for Register {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", *self as u8)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.offset < 0 { '-' } else { '+' };
        write!(f, "{} {sign} {}", self.base, self.offset.unsigned_abs())
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Byte => "u8",
            Self::Half => "u16",
            Self::Word => "u32",
            Self::Double => "u64",
        })
    }
}

impl Operation {
    const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+=",
            Self::Subtract => "-=",
            Self::Multiply => "*=",
            Self::Divide => "/=",
            Self::Or => "|=",
            Self::And => "&=",
            Self::ShiftLeft => "<<=",
            Self::ShiftRight => ">>=",
            Self::Modulo => "%=",
            Self::Xor => "^=",
            Self::Move => "=",
        }
    }
}

impl Condition {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::AnyBit => "&",
            Self::NotEqual => "!=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

impl Order {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Little => "le",
            Self::Big => "be",
        }
    }
}

impl Atomic {
    fn line(self, f: &mut Formatter<'_>, at: fmt::Arguments<'_>, with: Register) -> fmt::Result {
        match self {
            Self::Add => write!(f, "lock *{at} += {with}"),
            Self::FetchAdd => write!(f, "{with} = fetch_add({at}, {with})"),
            Self::Exchange => write!(f, "{with} = exchange({at}, {with})"),
            Self::CompareExchange => write!(f, "r0 = compare_exchange({at}, r0, {with})"),
        }
    }
}
