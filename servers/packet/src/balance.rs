//! `servers packet balance`: the balancer of jobs, in XDP, on an interface.

use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::attach::attach_to;
use crate::bpf::{self, ModeWanted, Ring};
use crate::jobs::state::Counts;
use crate::programs::balance::{Count, Event, Keeper, PATIENCE, Parameters, QUEUE};
use crate::programs::filter::Trace;
use crate::stop::{GLANCE, Stop};
use crate::udp::report::publish;

/// Where to balance, and how.
#[derive(Debug, Args)]
pub struct Balance {
    /// The interface that clients and servers are behind
    #[arg(long, value_name = "NAME")]
    pub interface: String,
    /// The UDP port that they talk to
    #[arg(long, value_name = "PORT", default_value_t = 50_001)]
    pub port: u16,
    /// Where in the receive path
    #[arg(long, value_enum, default_value = "auto")]
    pub mode: ModeWanted,
    /// How many jobs may wait
    #[arg(long, value_name = "N", default_value_t = QUEUE,
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub queue: u32,
    /// How long a server may be silent before it is taken for dead
    #[arg(long, value_name = "TIME", default_value_t = PATIENCE.into())]
    pub patience: humantime::Duration,
    /// How old a job must be to be sent once more to a server that seems not to have it
    #[arg(long, value_name = "TIME", default_value_t = Duration::from_secs(1).into())]
    pub repeat: humantime::Duration,
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

/// What the balancer has done.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What became of the jobs.
    #[serde(flatten)]
    pub counts: Counts,
    /// Frames that were no message, and went on to the stack.
    pub passed: u64,
    /// Changes that other CPUs undid too often.
    pub contended: u64,
    /// Free threads of each server, in the order in which they registered.
    pub free: Vec<u16>,
}

impl Report {
    fn read(keeper: &Keeper) -> std::io::Result<Self> {
        let numbers = keeper.numbers()?;
        Ok(Self {
            counts: keeper.counts()?,
            passed: numbers[Count::Passed as usize],
            contended: numbers[Count::Contended as usize],
            free: keeper.servers().iter().map(|server| server.free).collect(),
        })
    }
}

/// How often user space does its part.
const MEND_EVERY: Duration = Duration::from_millis(500);

/// Balances until it is time to stop, then says what became of the jobs. However the process ends,
/// the program is gone with it.
///
/// # Errors
/// What is missing for XDP, or why the program can't be attached.
pub fn run(options: &Balance, out: &mut impl Write) -> Result<()> {
    if let Some(missing) = bpf::missing() {
        return Err(missing.into());
    }
    let stop = Stop::at_signals(options.duration).context("cannot watch for signals")?;
    let socket = voice(options.port)?;
    let keeper = Keeper::new(&Parameters {
        port: options.port,
        queue: options.queue,
        patience: options.patience.into(),
        trace: if options.trace { Trace::On } else { Trace::Off },
    })?;
    let _attached = attach_to(&keeper.program, &options.interface, options.mode, out)?;
    watch(options, &keeper, &socket, &stop, out)?;
    publish(&Report::read(&keeper)?, out, options.counters.as_deref())
}

/// The socket that jobs are sent from once more. It also keeps the port: what goes on to the stack
/// would be answered with "port unreachable" otherwise.
fn voice(port: u16) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))
        .with_context(|| format!("taking UDP port {port}: is another balancer running?"))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Prints decisions, if that is wanted, and does now and then what the program can't.
fn watch(
    options: &Balance,
    keeper: &Keeper,
    socket: &UdpSocket,
    stop: &Stop,
    out: &mut impl Write,
) -> Result<()> {
    let mut ring = Ring::open(&keeper.events)?;
    let mut mended = Instant::now();
    while !stop.is_asked() {
        thread::sleep(GLANCE);
        print_events(&mut ring, out)?;
        if mended.elapsed() >= MEND_EVERY {
            mend(options, keeper, socket, out)?;
            mended = Instant::now();
        }
    }
    print_events(&mut ring, out)
}

fn mend(
    options: &Balance,
    keeper: &Keeper,
    socket: &UdpSocket,
    out: &mut impl Write,
) -> Result<()> {
    keeper.forget_lost()?;
    if let Some(whose) = keeper.make_place()? {
        writeln!(out, "{whose} is dead; its place is free for another server")?;
    }
    for (to, job) in keeper.repeats(*options.repeat)? {
        // What can't be sent now is sent the next time: the server goes on saying that it is idle.
        if let Err(error) = socket.send_to(&job.encode(), to) {
            writeln!(out, "job {} can't be sent to {to} once more: {error}", job.id)?;
        }
    }
    // Nobody reads what comes to the port by way of the stack.
    while socket.recv(&mut [0; 1]).is_ok() {}
    Ok(out.flush()?)
}

fn print_events(ring: &mut Ring<'_>, out: &mut impl Write) -> Result<()> {
    let mut printed = Ok(());
    ring.drain(|record| {
        if let (Ok(()), Some(event)) = (&printed, Event::read(record)) {
            printed = print(&event, out);
        }
    });
    printed?;
    Ok(out.flush()?)
}

fn print(event: &Event, out: &mut impl Write) -> std::io::Result<()> {
    let seconds = Duration::from_nanos(event.time).as_secs_f64();
    write!(out, "{seconds:.6} {}", event.outcome.words())?;
    if event.outcome.has_job() {
        write!(out, ", job {:#x}", event.id)?;
    }
    match event.server {
        Some((number, free)) => writeln!(out, ", server {number} has {free} free"),
        None => writeln!(out),
    }
}
