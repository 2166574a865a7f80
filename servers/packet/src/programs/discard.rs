//! Drops every frame: the most that an interface can take in, and a floor for all other programs.

use crate::asm::{Assembler, Code, Register::R0};
use crate::bpf::Action;

/// The program.
pub fn code() -> Code {
    let mut a = Assembler::new();
    a.note("Whatever comes is dropped.");
    a.mov(R0, Action::Drop.number());
    a.exit();
    a.finish()
}
