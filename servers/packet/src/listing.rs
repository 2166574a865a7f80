//! `servers packet listing`: a program as the kernel gets it, with its notes.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::asm::Code;
use crate::bpf::{self, Program, Trial, Type};
use crate::frame::Route;
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
    /// Also say how long a run takes, with a datagram to the port: takes root
    #[arg(long)]
    pub time: bool,
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

impl Which {
    /// Whether a second run with the same frame does what the first one did. An echo has turned the
    /// frame round, a ring buffer that nobody reads is full, and balancing takes servers.
    fn repeats(self) -> bool {
        !matches!(self, Self::Echo | Self::FilterTrace | Self::Balance | Self::Verdict)
    }
}

/// Prints it.
///
/// # Errors
/// When it can't be written.
pub fn run(options: &Listing, out: &mut impl Write) -> anyhow::Result<()> {
    let code = code(options.program, options.port);
    write!(out, "{code}")?;
    writeln!(out, "; {} slots of 8 octets; maps: {}", code.len(), code.maps().join(", "))?;
    if options.time {
        let each = time(&code, options)?.as_nanos();
        writeln!(out, "; {each} ns for each of {RUNS} runs, without an interface")?;
    }
    Ok(())
}

/// So many runs take a second at most.
const RUNS: u32 = 1_000_000;

/// How long a run takes that begins with an odd counter to the port, warm, on this CPU.
fn time(code: &Code, options: &Listing) -> anyhow::Result<Duration> {
    if let Some(missing) = bpf::missing() {
        return Err(missing.into());
    }
    if !options.program.repeats() {
        bail!("run after run this program does something else, so its time says nothing");
    }
    let maps = filter::Maps::new()?;
    let sockets = redirect::sockets(1)?;
    let [decisions, events] = maps.all();
    let program = Program::load(code, Type::Xdp, &[decisions, events, &sockets])?;
    let route = Route {
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        source: (Ipv4Addr::new(10, 0, 0, 1), 1_000).into(),
        destination: (Ipv4Addr::new(10, 0, 0, 2), options.port).into(),
    };
    let frame = route.udp(&1_u32.to_le_bytes()).context("four octets fit into a datagram")?;
    Ok(Trial::of(&program).time(&frame, RUNS)?)
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
            run(&Listing { program, port: 7, time: false }, &mut listed).unwrap();
            let listed = String::from_utf8(listed).unwrap();
            assert!(
                listed.contains("\n; ") && listed.contains("  exit\n"),
                "{program:?}: {listed}"
            );
        }
    }
}
