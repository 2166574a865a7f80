//! `servers packet listing`: a program as the kernel gets it, with its notes.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::asm::Code;
use crate::programs::filter::{self, Counter, Parameters, Trace};
use crate::programs::{balance, discard, echo, pass, redirect, verdict};

/// Which program to show.
#[derive(Debug, Args)]
pub struct Listing {
    /// The program
    #[arg(value_enum)]
    pub program: Which,
    /// The port that it is for, if it is for one
    #[arg(long, default_value_t = 50_001)]
    pub port: u16,
}

/// A program.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Which {
    /// Lets everything pass
    Pass,
    /// Drops everything
    Discard,
    /// Sends datagrams back
    Echo,
    /// Hands datagrams to an AF_XDP socket
    Redirect,
    /// Relays between two TCP sockets
    Verdict,
    /// Drops even counters in UDP payloads
    Filter,
    /// Drops even sequence numbers of TCP
    FilterTcp,
    /// Drops even counters in UDP payloads, and tells each decision
    FilterTrace,
    /// Gives jobs to servers
    Balance,
}

/// Prints it.
///
/// # Errors
/// When it can't be written.
pub fn run(options: &Listing, out: &mut impl Write) -> anyhow::Result<()> {
    let code = code(options.program, options.port);
    write!(out, "{code}")?;
    writeln!(out, "; {} slots of 8 octets; maps: {}", code.len(), code.maps().join(", "))?;
    Ok(())
}

fn code(program: Which, port: u16) -> Code {
    let filter = |counter, trace| filter::code(&Parameters { port, counter, trace });
    match program {
        Which::Pass => pass::code(),
        Which::Discard => discard::code(),
        Which::Echo => echo::code(port),
        Which::Redirect => redirect::code(port),
        Which::Verdict => verdict::code(),
        Which::Filter => filter(Counter::UdpPayload, Trace::Off),
        Which::FilterTcp => filter(Counter::TcpSequence, Trace::Off),
        Which::FilterTrace => filter(Counter::UdpPayload, Trace::On),
        Which::Balance => balance::code(&balance::Parameters {
            port,
            queue: balance::QUEUE,
            patience: balance::PATIENCE,
            trace: Trace::Off,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verifier does not need rights to be right about jumps and labels: assembling checks
    /// them.
    #[test]
    fn each_program_is_assembled_and_listed() {
        for &program in Which::value_variants() {
            let mut listed = Vec::new();
            run(&Listing { program, port: 7 }, &mut listed).unwrap();
            let listed = String::from_utf8(listed).unwrap();
            assert!(
                listed.contains("\n; ") && listed.contains("  exit\n"),
                "{program:?}: {listed}"
            );
        }
    }
}
