//! `servers packet filter`: the filter of even counters on an interface, and what it decides.

use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::attach::attach_to;
use crate::bpf::{self, Attachment, ModeWanted, Program, Ring, Type};
use crate::programs::filter::{self, Counter, Decision, Event, Maps, Parameters, Trace};
use crate::stop::{GLANCE, Stop};
use crate::udp::report::publish;

/// Where to filter, and how.
#[derive(Debug, Args)]
pub struct Filter {
    /// The interface whose frames are filtered as they come in
    #[arg(long)]
    pub interface: String,
    /// The port that the filtered traffic goes to
    #[arg(long, default_value_t = 50_001)]
    pub port: u16,
    /// What is even or odd
    #[arg(long, value_enum, default_value = "udp-payload")]
    pub counter: CounterWanted,
    /// Where in the receive path
    #[arg(long, value_enum, default_value = "auto")]
    pub mode: ModeWanted,
    /// Print each decision
    #[arg(long)]
    pub trace: bool,
    /// End after this time [default: at SIGTERM or Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// At the end, write the counters to this file, too, as JSON
    #[arg(long, value_name = "FILE")]
    pub counters: Option<PathBuf>,
}

/// How often the filter decided what.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Frames with an even counter.
    pub even_dropped: u64,
    /// Frames with an odd counter.
    pub odd_passed: u64,
    /// Frames of another protocol or to another port.
    pub not_ours: u64,
    /// Frames to the port without a counter.
    pub no_counter: u64,
    /// Frames that are cut off or contradict themselves.
    pub malformed: u64,
    /// Fragments but for the first of each.
    pub later_fragments: u64,
}

impl Report {
    fn read(maps: &Maps) -> std::io::Result<Self> {
        let counts = maps.counts()?;
        let of = |decision: Decision| counts[decision as usize];
        Ok(Self {
            even_dropped: of(Decision::EvenDropped),
            odd_passed: of(Decision::OddPassed),
            not_ours: of(Decision::NotOurs),
            no_counter: of(Decision::NoCounter),
            malformed: of(Decision::Malformed),
            later_fragments: of(Decision::LaterFragment),
        })
    }
}

/// What is even or odd.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CounterWanted {
    /// The first four octets of a UDP payload, the least significant first
    UdpPayload,
    /// The sequence number of a TCP segment with data
    TcpSequence,
}

impl From<CounterWanted> for Counter {
    fn from(wanted: CounterWanted) -> Self {
        match wanted {
            CounterWanted::UdpPayload => Self::UdpPayload,
            CounterWanted::TcpSequence => Self::TcpSequence,
        }
    }
}

/// Filters until it is time to stop, then says how often it decided what. However the process ends,
/// the filter is gone with it.
///
/// # Errors
/// What is missing for XDP, or why the program can't be attached.
pub fn run(options: &Filter, out: &mut impl Write) -> Result<()> {
    if let Some(missing) = bpf::missing() {
        return Err(missing.into());
    }
    let stop = Stop::at_signals(options.duration).context("cannot watch for signals")?;
    let maps = Maps::new()?;
    let _attached = attach(options, &maps, out)?;
    if options.trace {
        let mut ring = Ring::open(&maps.events)?;
        follow(&mut ring, &stop, out)?;
    } else {
        while !stop.is_asked() {
            thread::sleep(GLANCE);
        }
    }
    publish(&Report::read(&maps)?, out, options.counters.as_deref())
}

fn attach(options: &Filter, maps: &Maps, out: &mut impl Write) -> Result<Attachment> {
    let (port, interface) = (options.port, options.interface.as_str());
    let trace = if options.trace { Trace::On } else { Trace::Off };
    let code = filter::code(&Parameters { port, counter: options.counter.into(), trace });
    let program = Program::load(&code, Type::Xdp, &maps.all())?;
    attach_to(&program, interface, options.mode, out)
}

/// Prints decisions until it is time to stop, the last ones included.
fn follow(ring: &mut Ring<'_>, stop: &Stop, out: &mut impl Write) -> Result<()> {
    loop {
        let last = stop.is_asked();
        let mut printed = Ok(());
        ring.drain(|record| {
            if let (Ok(()), Some(event)) = (&printed, Event::read(record)) {
                printed = print(&event, out);
            }
        });
        printed?;
        out.flush()?;
        if last {
            return Ok(());
        }
        ring.wait(GLANCE)?;
    }
}

fn print(event: &Event, out: &mut impl Write) -> std::io::Result<()> {
    let seconds = Duration::from_nanos(event.time).as_secs_f64();
    let words = event.decision().map_or("unknown", Decision::words);
    writeln!(out, "{seconds:.6} {:>10} {words}", event.counter)
}
