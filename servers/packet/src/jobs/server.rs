//! `servers packet jobs-server`: a pool of threads that does jobs for a balancer.
//!
//! It says that it is there, again and again, does what it is sent, and says when that is done. A
//! job that comes a second time is not done again: its end is said again, as the first word of it
//! may have been lost. A job for a former incarnation is none of its business.

use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::chance;
use super::message::{Kind, Message, More, SIZE};
use super::pool::{Answer, Event, Job, Pool, Tally};
use crate::stop::{GLANCE, Stop};
use crate::udp::report::{Ending, publish};
use crate::udp::socket_between;

/// Which pool, and for whom.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Where the balancer is
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub balancer: SocketAddr,
    /// Where to receive jobs [default: any free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// How many threads do jobs
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub capacity: u16,
    /// How often to say that this server is there
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub heartbeat: Duration,
    /// Say nothing of each job
    #[arg(long)]
    pub quiet: bool,
    /// When to end; --count is of jobs.
    #[command(flatten)]
    pub ending: Ending,
}

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What its threads have done.
    #[serde(flatten)]
    pub tally: Tally,
    /// Messages for another incarnation, or none that a server should get.
    pub ignored: u64,
    /// How often it said that it is there.
    pub registrations: u64,
}

/// Does it.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Server, out: &mut impl Write) -> anyhow::Result<()> {
    let stop = Stop::at_signals(options.ending.duration).context("cannot watch for signals")?;
    let site = Site::open(options)?;
    writeln!(out, "ready {}", site.socket.local_addr()?)?;
    out.flush()?;
    let (said, events) = mpsc::channel();
    let report = thread::scope(|scope| {
        let said = (!options.quiet).then_some(said);
        let serving = thread::Builder::new()
            .spawn_scoped(scope, || site.serve(&stop, said))
            .context("cannot make a thread that receives")?;
        // It ends when no thread is left that could say something.
        let told = events.iter().try_for_each(|event| tell(out, event));
        let report = serving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        told.map(|()| report).context("writing to standard output")
    })?;
    publish(&report, out, options.ending.counters.as_deref())
}

fn tell(out: &mut impl Write, event: Event) -> io::Result<()> {
    match event {
        Event::Began(_) => writeln!(out, "I got the job!"),
        Event::Finished { slept, .. } => {
            let seconds = slept.as_secs_f64();
            writeln!(out, "Sleep Complete! Total Sleep Time : {seconds} seconds")
        }
    }
}

/// A server, its socket, and who it is.
#[derive(Debug)]
pub struct Site {
    socket: UdpSocket,
    pool: Pool,
    capacity: u16,
    heartbeat: Duration,
    count: Option<u64>,
    incarnation: u32,
}

impl Site {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the address to listen at is taken, or there is no way to the balancer.
    pub fn open(options: &Server) -> anyhow::Result<Self> {
        let socket = socket_between(options.listen, options.balancer)?;
        let glance = GLANCE.min(options.heartbeat).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(glance)).context("setting how long a wait may take")?;
        Ok(Self {
            socket,
            pool: Pool::new(options.capacity),
            capacity: options.capacity,
            heartbeat: options.heartbeat,
            count: options.ending.count,
            incarnation: (chance() as u32).max(1),
        })
    }

    /// Where it receives.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What its threads have done until now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.pool.tally()
    }

    /// Serves until there were as many jobs as asked for, or it is time to stop. `said` gets a word
    /// of each job.
    ///
    /// # Errors
    /// When there are not as many threads to be had as the pool is to have.
    pub fn serve(&self, stop: &Stop, said: Option<Sender<Event>>) -> anyhow::Result<Report> {
        thread::scope(|scope| {
            let heard = self.staff(scope, said).map(|()| self.hear_until(stop));
            // Those that there are wait for jobs, and the scope waits for them.
            self.pool.close();
            Ok(Report { tally: self.pool.tally(), ..heard? })
        })
    }

    /// Makes the threads of the pool.
    fn staff<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        said: Option<Sender<Event>>,
    ) -> anyhow::Result<()> {
        for number in 1..=self.capacity {
            let said = said.clone();
            let work = move || self.pool.work(|event| self.note(event, said.as_ref()));
            thread::Builder::new().spawn_scoped(scope, work).with_context(|| {
                format!(
                    "cannot make thread {number} of {}: --capacity asks for less",
                    self.capacity
                )
            })?;
        }
        Ok(())
    }

    /// Tells the balancer and whoever listens.
    fn note(&self, event: Event, said: Option<&Sender<Event>>) {
        if let Event::Finished { id, .. } = event {
            self.say(&Message::done(id, self.incarnation));
        }
        // That nobody listens any more is no reason to do no more jobs.
        let _ = said.map(|said| said.send(event));
    }

    fn hear_until(&self, stop: &Stop) -> Report {
        let mut report = Report::default();
        let mut heartbeat = None::<Instant>;
        while !stop.is_asked() && self.pool.tally().done < self.count.unwrap_or(u64::MAX) {
            if heartbeat.is_none_or(|at| at.elapsed() >= self.heartbeat) {
                heartbeat = Some(Instant::now());
                self.register(&mut report);
            }
            let mut payload = [0; SIZE + 1];
            // An error says that nothing has come, or that the balancer was not there (ICMP): it
            // may come back.
            let Ok(length) = self.socket.recv(&mut payload) else { continue };
            match Message::decode(&payload[..length]) {
                Some(message) => self.hear(&message, &mut report),
                None => report.ignored += 1,
            }
        }
        report
    }

    fn hear(&self, message: &Message, report: &mut Report) {
        if message.kind != Kind::Job || message.incarnation != self.incarnation {
            report.ignored += 1;
            return;
        }
        let work = Duration::from_micros(message.work.into());
        match self.pool.offer(Job { id: message.id, work }) {
            Answer::Done => self.say(&Message::done(message.id, self.incarnation)),
            Answer::Accepted | Answer::Running | Answer::OverCapacity => (),
        }
        if message.more == More::Waiting && self.pool.free() > 0 {
            self.register(report);
        }
    }

    /// Says that it is there.
    pub(super) fn register(&self, report: &mut Report) {
        report.registrations += 1;
        self.say(&Message::register(self.pool.free(), self.incarnation));
    }

    /// What can't be sent now is said again: a registration by the next one, the end of a job when
    /// the balancer asks for it.
    fn say(&self, message: &Message) {
        let _ = self.socket.send(&message.encode());
    }
}
