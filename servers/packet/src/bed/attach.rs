//! `servers packet attach`: a small program on an interface, for as long as this runs.
//!
//! A veth interface hands on what a program sends back natively (XDP_TX) only where its peer has a
//! program, too: `pass` is for that peer, and `echo` is what sends back.

use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::command::until_asked;
use crate::asm::Code;
use crate::attach::attach_to;
use crate::bpf::{ModeWanted, Program, Type, missing};
use crate::programs::{discard, echo, pass};

/// What to attach, and where.
#[derive(Clone, Debug, Args)]
pub struct Attach {
    /// What the program does
    #[arg(long, value_enum)]
    pub program: What,
    /// The interface
    #[arg(long, value_name = "NAME", default_value = "eth0")]
    pub interface: String,
    /// Where in the receive path it runs
    #[arg(long, value_enum, default_value = "auto")]
    pub mode: ModeWanted,
    /// The UDP port that `echo` answers at
    #[arg(long, value_name = "PORT", default_value_t = 50_001)]
    pub port: u16,
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Lets every frame pass
    Pass,
    /// Drops every frame
    Discard,
    /// Sends UDP datagrams back from the hook
    Echo,
}

/// Attaches it, prints `ready INTERFACE MODE`, and keeps it there until SIGTERM or SIGINT.
///
/// # Errors
/// When there is no such interface, or it can't have a program.
pub fn run(options: &Attach, out: &mut impl Write) -> Result<()> {
    if let Some(missing) = missing() {
        return Err(missing.into());
    }
    until_asked(|| {
        let program = Program::load(&options.code(), Type::Xdp, &[])?;
        attach_to(&program, &options.interface, options.mode, out)
    })
}

impl Attach {
    fn code(&self) -> Code {
        match self.program {
            What::Pass => pass::code(),
            What::Discard => discard::code(),
            What::Echo => echo::code(self.port),
        }
    }
}
