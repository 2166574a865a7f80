//! `servers packet jobs-balancer`: the balancer of jobs, in user space. What it decides is in
//! [`super::state`]; here is only how messages come and go.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::message::Message;
use super::outbox::Outbox;
use super::state::{Counts, Decision, Limits, Server, State};
use crate::stop::Stop;
use crate::udp::receiver::{Receiver, Reception, overflowed};
use crate::udp::report::{Ending, Meter, Spent, publish};

/// Where to balance, and how.
#[derive(Clone, Debug, Args)]
pub struct Balancer {
    /// Where clients and servers reach it; port 0 takes a free one, and the first line of output
    /// tells which
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// How to receive.
    #[command(flatten)]
    pub reception: Reception,
    /// How many jobs may wait
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    pub queue: u32,
    /// How many servers may be known
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub servers: u16,
    /// How long a server may be silent before it is taken for dead
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
    /// How old a job must be to be sent once more to a server that seems not to have it
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub repeat: Duration,
    /// Print each decision
    #[arg(long)]
    pub trace: bool,
    /// When to end; --count is of messages.
    #[command(flatten)]
    pub ending: Ending,
}

/// What a balancer has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What became of the jobs.
    #[serde(flatten)]
    pub counts: Counts,
    /// Packets that came.
    pub packets: u64,
    /// Packets that were no message.
    pub malformed: u64,
    /// Packets that the kernel dropped because nobody took them; `None` where it does not tell.
    pub overflowed: Option<u64>,
    /// System calls to receive and to send.
    pub system_calls: u64,
    /// Time, and CPU time of the thread that balances.
    #[serde(flatten)]
    pub spent: Spent,
    /// Free threads of each server, in the order in which they registered.
    pub free: Vec<u16>,
}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balancer, out: &mut impl Write) -> anyhow::Result<()> {
    let stop = Stop::at_signals(options.ending.duration).context("cannot watch for signals")?;
    let receiver = Receiver::open(options.listen, options.reception)?;
    writeln!(out, "ready {}", receiver.address()?)?;
    out.flush()?;
    let report = Desk::new(options, receiver).balance(&stop, out)?;
    publish(&report, out, options.ending.counters.as_deref())
}

/// How often to receive once more at the end.
const LAST_LOOKS: u32 = 1_024;

/// A balancer at work.
pub(super) struct Desk<'a> {
    options: &'a Balancer,
    receiver: Receiver,
    outbox: Outbox,
    state: State,
    start: Instant,
    packets: u64,
    malformed: u64,
    calls: u64,
}

impl<'a> Desk<'a> {
    pub(super) fn new(options: &'a Balancer, receiver: Receiver) -> Self {
        let limits = Limits {
            queue: options.queue as usize,
            servers: options.servers.into(),
            patience: options.patience,
            repeat: Some(options.repeat),
        };
        Self {
            options,
            receiver,
            outbox: Outbox::new(options.reception.batch),
            state: State::new(limits),
            start: Instant::now(),
            packets: 0,
            malformed: 0,
            calls: 0,
        }
    }

    /// Balances until there were as many messages as asked for, or it is time to stop.
    ///
    /// # Errors
    /// What the socket says, or `out`, where the trace goes.
    pub(super) fn balance(mut self, stop: &Stop, out: &mut impl Write) -> anyhow::Result<Report> {
        let mut meter = Meter::start()?;
        let count = self.options.ending.count.unwrap_or(u64::MAX);
        while !stop.is_asked() && self.packets < count {
            let before = self.packets;
            if self.turn(out)? > 0 && before == 0 {
                meter = Meter::start()?;
            }
        }
        // What has come before the end counts, too, as far as there is one: more may come all the
        // time.
        let mut looks = 0..if stop.is_asked() { LAST_LOOKS } else { 0 };
        while looks.next().is_some() && self.turn(out)? > 0 {}
        Ok(self.report(meter.read()?))
    }

    /// Receives, decides and sends once. Returns how many packets have come.
    fn turn(&mut self, out: &mut impl Write) -> anyhow::Result<usize> {
        let came = self.receiver.receive().context("receiving")?;
        self.packets += came as u64;
        self.decide(out)?;
        self.calls += self.outbox.send(self.receiver.socket());
        Ok(came)
    }

    /// Goes through what has come.
    fn decide(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        let now = self.start.elapsed();
        for (at, datagram) in self.receiver.batch().datagrams().enumerate() {
            let sender = self.receiver.batch().sender(at);
            let (Some(from), Some(message)) = (sender, Message::decode(datagram.payload)) else {
                self.malformed += 1;
                continue;
            };
            let decision = self.state.hear(now, from, &message);
            if let Decision::Send { to, job } = &decision {
                self.outbox.put(*to, job);
            }
            if self.options.trace {
                trace(out, &self.state, now, from, &decision)?;
            }
        }
        Ok(())
    }

    fn report(self, spent: Spent) -> Report {
        Report {
            counts: self.state.counts(self.start.elapsed()),
            packets: self.packets,
            malformed: self.malformed,
            overflowed: overflowed(self.receiver.socket()),
            system_calls: self.receiver.calls() + self.calls,
            spent,
            free: self.state.servers().iter().map(Server::free).collect(),
        }
    }
}

/// One line for a decision, with the free threads of all servers after it.
fn trace(
    out: &mut impl Write,
    state: &State,
    now: Duration,
    from: SocketAddr,
    decision: &Decision,
) -> anyhow::Result<()> {
    let free: Vec<u16> = state.servers().iter().map(Server::free).collect();
    write!(out, "{:.6} from {from}: ", now.as_secs_f64())?;
    match decision {
        Decision::Send { to, job } => write!(out, "job {:016x} to {to}", job.id)?,
        other => write!(out, "{other:?}")?,
    }
    writeln!(out, "; {} wait, free {free:?}", state.waiting())?;
    Ok(out.flush()?)
}
