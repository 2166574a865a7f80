//! Lets every frame go on to the stack.
//!
//! It is not as useless as it looks: a veth takes frames that its peer sent with `XDP_TX` only if
//! it has a program of its own.

use crate::asm::{Assembler, Code, Register::R0};
use crate::bpf::Action;

/// The program.
pub fn code() -> Code {
    let mut a = Assembler::new();
    a.note("Whatever comes goes on to the stack.");
    a.mov(R0, Action::Pass.number());
    a.exit();
    a.finish()
}
