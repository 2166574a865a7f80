//! An assembler for eBPF: labels, named registers, and comments that stay with the instructions.
//!
//! eBPF is the instruction set of a small machine inside the kernel. It has eleven registers of 64
//! bits, a stack of 512 octets, and no way to name memory except through a pointer that it was
//! given. Before a program runs, the kernel's verifier walks each of its paths and refuses it
//! unless every access is inside what the pointer may reach and every loop ends. Then it is
//! translated to the instructions of the real machine, one for one in most cases, and runs as part
//! of the kernel.
//!
//! | register | what it is for |
//! |---|---|
//! | `R0` | the result of a helper, and of the program |
//! | `R1` to `R5` | the arguments of a helper, which may destroy them; at first `R1` is the context |
//! | `R6` to `R9` | kept across helpers |
//! | `R10` | the end of the stack, which can't be written; variables lie below it |
//!
//! A program is written as calls of an [`Assembler`], one an instruction, and reads from top to
//! bottom:
//!
//! ```
//! use packet::asm::{Assembler, Condition::Below, Register::*, Size::Word};
//!
//! let mut a = Assembler::new();
//! let short = a.label("short");
//! a.note("struct xdp_md says where the frame begins and where it ends.");
//! a.load(Word, R2, R1.at(0));
//! a.load(Word, R3, R1.at(4));
//! a.note("The verifier lets us read 14 octets only after this comparison.");
//! a.add(R2, 14);
//! a.mov(R0, 1);
//! a.jump_if(R3, Below, R2, short);
//! a.mov(R0, 2);
//! a.bind(short);
//! a.exit();
//! assert!(a.finish().to_string().contains("if r3 < r2 goto short"));
//! ```
//!
//! What comes out is [`Code`]: it can be printed, with its notes, and loaded with
//! [`Program::load`](crate::bpf::Program::load), which puts real maps where the code has their
//! names.
//!
//! Source: RFC 9669 (BPF instruction set architecture), and Linux `Documentation/bpf/`.

mod assembler;
mod code;
mod helper;
mod instruction;
mod operand;
mod print;

pub use assembler::{Assembler, Label};
pub use code::Code;
pub use helper::Helper;
pub use instruction::{Atomic, Condition, Instruction, Operation, Order, Width};
pub use operand::{Operand, Place, Register, Size};
