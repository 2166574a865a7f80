//! `servers packet filter`: the filter of even counters on an interface, and what it decides.

use std::io::Write;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use nix::net::if_::if_nametoindex;

use crate::bpf::{self, Attachment, ModeWanted, Program, Ring, Type};
use crate::programs::filter::{self, Counter, Decision, Event, Maps, Parameters, Trace};
use crate::stop::{GLANCE, Stop};

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
    /// How long; until a signal if it is not said
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
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

/// Filters until SIGINT or SIGTERM, then says how often it decided what. However the process ends, the
/// filter is gone with it.
///
/// # Errors
/// What is missing for XDP, or why the program can't be attached.
pub fn run(options: &Filter, out: &mut impl Write) -> Result<()> {
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
    for (decision, times) in Decision::ALL.iter().zip(maps.counts()?) {
        writeln!(out, "{times:>12}  {}", decision.words())?;
    }
    Ok(())
}

fn attach(options: &Filter, maps: &Maps, out: &mut impl Write) -> Result<Attachment> {
    if let Some(missing) = bpf::missing() {
        bail!("no XDP for this process: {missing}");
    }
    let (port, interface) = (options.port, options.interface.as_str());
    let trace = if options.trace { Trace::On } else { Trace::Off };
    let code = filter::code(&Parameters { port, counter: options.counter.into(), trace });
    let program = Program::load(&code, Type::Xdp, &maps.all())?;
    let attached = attach_to(&program, interface, options.mode, out)?;
    writeln!(out, "filtering port {port} on {interface}, {} mode", attached.mode().name())?;
    out.flush()?;
    Ok(attached)
}

/// Attaches a program to the interface with this name, and says so if it fell back to generic mode.
///
/// # Errors
/// There is no such interface, or it takes no program.
pub(crate) fn attach_to(
    program: &Program,
    interface: &str,
    mode: ModeWanted,
    out: &mut impl Write,
) -> Result<Attachment> {
    let index = if_nametoindex(interface)
        .with_context(|| format!("there is no interface {interface}; `ip link` lists them"))?;
    let attached = Attachment::wanted(program, index, mode)?;
    if let Some(why) = attached.fallback() {
        writeln!(out, "generic mode instead of native: {why}")?;
    }
    Ok(attached)
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
