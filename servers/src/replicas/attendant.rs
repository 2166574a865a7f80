//! One replica, and the thread that looks after it.
//!
//! ```text
//!   start ──▶ said where it listens ──▶ answered a heartbeat ──▶ in service
//!     ▲                                                              │ ended, or long silent
//!     └──── pause ◀───────────── killed, reaped ◀── out of service ◀─┘
//! ```
//!
//! It is a thread for each replica because the story is one that is told from start to end, by
//! calls that wait. A replica that hangs holds up its own attendant and nobody else; and the thread
//! that has started a process outlives it, which the [process](super::process) asks for.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::end::End;
use super::events::{Event, Log, Tag};
use super::exchange::Question;
use super::leash::{Leash, Waited};
use super::lineup::Lineup;
use super::name::Name;
use super::process::{Process, Program, Said};
use super::pulse::Pulse;
use super::restarts::{Next, Pace, Restarts};
use super::seat::Seat;
use super::turns::Turns;
use crate::shortage;

/// What is asked to see whether a replica is alive. The loop that serves clients answers it: a
/// thread of its own would go on telling that all is well when that loop hangs.
const HEARTBEAT: Question<'_> = Question::get("/heartbeat");
/// Between two tries to get the first heartbeat of a process.
const FIRST_BEATS: Duration = Duration::from_millis(10);
/// Between two tries to start a process that the balancer has no descriptor left for.
const SHORTAGE: Duration = Duration::from_millis(100);

/// How replicas are looked after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care {
    /// From one heartbeat to the next.
    pub(crate) interval: Duration,
    /// So many missed ones in a row are too many.
    pub(crate) failures: u32,
    /// For the whole exchange; never more than the interval counts.
    pub(crate) request: Duration,
    /// From the start to the first heartbeat.
    pub(crate) start: Duration,
    /// From SIGTERM to SIGKILL.
    pub(crate) stop: Duration,
    pub(crate) pace: Pace,
}

/// What all attendants have in common.
#[derive(Debug)]
pub(crate) struct Routine {
    pub(crate) program: Program,
    pub(crate) care: Care,
    pub(crate) log: Log,
    /// Who must know when a replica comes into service, or goes.
    pub(crate) lineup: Arc<Lineup>,
    pub(crate) turns: Turns,
    /// Numbers the processes. No two have the same one, so it tells the incarnations of a replica
    /// apart.
    pub(crate) id_next: AtomicU64,
}

impl Routine {
    fn next_id(&self) -> u64 {
        self.id_next.fetch_add(1, Ordering::Relaxed)
    }
}

/// How the first start of a replica went.
pub(crate) type First = Result<(), String>;

/// The attendant of one replica.
#[derive(Debug)]
pub(crate) struct Attendant {
    pub(crate) seat: Arc<Seat>,
    pub(crate) leash: Arc<Leash>,
    thread: JoinHandle<()>,
}

impl Attendant {
    /// Starts a replica and looks after it. How the first start went is told to `first`; after a
    /// bad one the attendant leaves.
    ///
    /// # Errors
    /// When there is no descriptor or no thread left for it.
    pub(crate) fn engage(
        routine: &Arc<Routine>,
        name: &Name,
        first: Sender<First>,
    ) -> io::Result<Self> {
        let seat = Arc::new(Seat::new(name.clone()));
        let leash = Arc::new(Leash::new()?);
        let shift = Shift {
            routine: Arc::clone(routine),
            seat: Arc::clone(&seat),
            leash: Arc::clone(&leash),
            // Here, and not in the thread: so the first processes are numbered as their names are.
            id: routine.next_id(),
            restarts: Restarts::new(routine.care.pace),
            first: Some(first),
            short: false,
        };
        let thread = Builder::new().name(name.to_string()).spawn(move || shift.work())?;
        Ok(Self { seat, leash, thread })
    }

    /// Tells it to stop its replica.
    pub(crate) fn dismiss(&self) {
        self.leash.pull();
    }

    /// Waits until it has.
    pub(crate) fn join(self) {
        // A panic there has been told on standard error, and the kernel has ended the process.
        let _ = self.thread.join();
    }
}

/// The attendant at work.
struct Shift {
    routine: Arc<Routine>,
    seat: Arc<Seat>,
    leash: Arc<Leash>,
    /// Of the process that is started next, or runs.
    id: u64,
    restarts: Restarts,
    /// Whom to tell how the first start went, until that is told.
    first: Option<Sender<First>>,
    /// Whether the balancer lacks something itself, and that has been told.
    short: bool,
}

impl Shift {
    fn work(mut self) {
        loop {
            let pause = match self.start() {
                Ok((process, address)) => {
                    let served = self.attend(process, address);
                    if self.leash.is_pulled() {
                        return;
                    }
                    self.pause_after(served)
                }
                Err(End::Asked) => return self.leave(),
                Err(end) if self.first.is_some() => return self.give_up(&end),
                Err(End::Shortage(error)) => {
                    self.tell_of_shortage(&error);
                    SHORTAGE
                }
                Err(end) => {
                    self.seat.record.ended();
                    self.note(Tag::Error, None, end.to_string());
                    self.pause_after(Duration::ZERO)
                }
            };
            if self.leash.pause(pause) == Waited::Pulled {
                return self.leave();
            }
        }
    }

    /// Leaves without a process.
    fn leave(&self) {
        self.note(Tag::Remove, None, "let go while out of service".into());
    }

    /// Leaves after a first start that has come to nothing.
    fn give_up(&mut self, end: &End) {
        self.note(Tag::Error, None, end.to_string());
        if let Some(first) = self.first.take() {
            // Who asked for it may have gone.
            let _ = first.send(Err(format!("{} {end}", self.seat.name)));
        }
    }

    /// Starts a process, and waits until it has answered a heartbeat.
    fn start(&mut self) -> Result<(Process, SocketAddr), End> {
        let routine = Arc::clone(&self.routine);
        let _turn = routine.turns.take();
        if self.leash.is_pulled() {
            return Err(End::Asked);
        }
        let begun = Instant::now();
        let started = routine.program.start(self.id, &self.seat.name).map_err(End::of_start);
        if !matches!(started, Err(End::Shortage(_))) {
            self.restarts.started(begun);
        }
        let mut process = started?;
        self.seat.record.started(self.id, process.pid());
        let tag = if self.first.is_some() { Tag::Create } else { Tag::Recreate };
        self.note(tag, Some(process.pid()), format!("process {} started", process.pid()));
        let until = begun + routine.care.start;
        let address = self.address(&mut process, until)?;
        self.first_beat(&mut process, address, until)?;
        Ok((process, address))
    }

    fn address(&self, process: &mut Process, until: Instant) -> Result<SocketAddr, End> {
        let mut line = Vec::new();
        loop {
            self.wait(&[process.output()], until)?;
            match process.listen(&mut line).map_err(End::NoProcess)? {
                Said::Address(address) => return Ok(address),
                Said::More => {}
                Said::Nonsense(line) if line.is_empty() => return Err(End::Ended),
                Said::Nonsense(line) => return Err(End::Nonsense(line)),
            }
        }
    }

    fn first_beat(
        &mut self,
        process: &mut Process,
        at: SocketAddr,
        mut until: Instant,
    ) -> Result<(), End> {
        let Care { request, start, .. } = self.routine.care;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.beat(at, left.min(request)) {
                Ok(()) => return Ok(()),
                Err(error) if shortage::has_caused(&error) => {
                    self.tell_of_shortage(&error);
                    // The process can do nothing about it, and is not late for that.
                    until = until.max(Instant::now() + request);
                }
                Err(_) => {}
            }
            let next = until.min(Instant::now() + FIRST_BEATS);
            match self.await_end(process, next) {
                Waited::Late if next < until => {}
                Waited::Late => return Err(End::Late(start)),
                Waited::Ready(_) => return Err(End::Ended),
                Waited::Pulled => return Err(End::Asked),
            }
        }
    }

    /// Waits for the end of a process, whatever it says meanwhile.
    fn await_end(&self, process: &mut Process, until: Instant) -> Waited {
        loop {
            match self.leash.watch(&[process.end(), process.output()], until) {
                Waited::Ready(1) => process.overhear(),
                waited => return waited,
            }
            // There may be no end of what it says.
            if Instant::now() >= until {
                return Waited::Late;
            }
        }
    }

    /// Waits for one of these to be ready, on the way to the first heartbeat.
    fn wait(&self, watched: &[BorrowedFd<'_>], until: Instant) -> Result<(), End> {
        match self.leash.watch(watched, until) {
            Waited::Ready(_) => Ok(()),
            Waited::Late => Err(End::Late(self.routine.care.start)),
            Waited::Pulled => Err(End::Asked),
        }
    }

    /// Keeps a process in service as long as it is well; says how long that was.
    fn attend(&mut self, mut process: Process, address: SocketAddr) -> Duration {
        let seat = Arc::clone(&self.seat);
        let service = seat.serve(address);
        self.routine.lineup.refresh();
        let mut pulse = Pulse::new(Instant::now());
        self.tell_of_service(process.pid());
        let end = self.watch(&mut process, address, &mut pulse);
        // Before anything else: from now on nobody is sent there.
        drop(service);
        self.routine.lineup.refresh();
        let now = Instant::now();
        self.seat.record.left();
        self.part(process, &end);
        self.seat.record.ended();
        pulse.well_until(now)
    }

    fn tell_of_service(&mut self, pid: u32) {
        let (tag, words) = match self.seat.record.entered() {
            None => (Tag::Spawn, "in service".into()),
            Some(out) => (Tag::Respawn, format!("back in service after {} ms", out.as_millis())),
        };
        self.note(tag, Some(pid), words);
        if let Some(first) = self.first.take() {
            // Who asked for it may have gone.
            let _ = first.send(Ok(()));
        }
    }

    /// Asks for heartbeats until it is told to stop, the process ends, or too many are missed.
    fn watch(&mut self, process: &mut Process, address: SocketAddr, pulse: &mut Pulse) -> End {
        let Care { interval, request, .. } = self.routine.care;
        // Not all replicas at the same moment.
        let mut next = Instant::now() + interval.mul_f64(rand::random());
        loop {
            match self.await_end(process, next) {
                Waited::Pulled => return End::Asked,
                Waited::Ready(_) => return End::Ended,
                Waited::Late => {}
            }
            next = Instant::now() + interval;
            match self.beat(address, request.min(interval)) {
                Ok(()) => pulse.beats(Instant::now()),
                Err(_) if self.leash.is_pulled() => return End::Asked,
                // Who has ended has not missed anything.
                Err(_) if process.has_ended() => return End::Ended,
                // Nobody was asked, so nobody has missed anything.
                Err(error) if shortage::has_caused(&error) => self.tell_of_shortage(&error),
                Err(error) => {
                    if let Some(end) = self.miss(process, pulse, &error) {
                        return end;
                    }
                }
            }
        }
    }

    /// Counts a heartbeat that was missed; says whether that is one too many.
    fn miss(&self, process: &Process, pulse: &mut Pulse, error: &io::Error) -> Option<End> {
        let failures = self.routine.care.failures;
        pulse.misses += 1;
        self.seat.record.missed();
        let words = format!("missed, {} of {failures}: {error}", pulse.misses);
        self.note(Tag::Heartbeat, Some(process.pid()), words);
        (pulse.misses >= failures).then_some(End::Silent(pulse.misses))
    }

    /// Asks whether the replica is alive. Any answer but 200 says that it is not well.
    fn beat(&mut self, address: SocketAddr, patience: Duration) -> io::Result<()> {
        match HEARTBEAT.ask_on(Some(&self.leash), address, patience)?.status {
            200 => {
                self.short = false;
                Ok(())
            }
            status => Err(io::Error::other(format!("status {status}"))),
        }
    }

    /// Says, once until it is over, that the balancer itself lacks something.
    fn tell_of_shortage(&mut self, error: &io::Error) {
        if !mem::replace(&mut self.short, true) {
            let words = format!("the balancer lacks something itself, and waits: {error}");
            self.note(Tag::Error, None, words);
        }
    }

    /// Ends a process that is out of service, and takes its status.
    fn part(&self, process: Process, end: &End) {
        if let End::Asked = end {
            let _turn = self.routine.turns.take();
            let status = process.stop(self.routine.care.stop);
            return self.note(Tag::Remove, None, format!("stopped: {}", shown(status)));
        }
        let pid = process.pid();
        let status = process.finish();
        self.note(Tag::Flatline, None, format!("process {pid} {end}: {}", shown(status)));
    }

    /// How much time to let pass before another process is started, after one that has `served`.
    fn pause_after(&mut self, served: Duration) -> Duration {
        self.id = self.routine.next_id();
        let next = self.restarts.ended(served, Instant::now(), rand::random());
        if let Next::Failed(pause) = next {
            let Pace { starts_max, within, .. } = self.routine.care.pace;
            let words = format!("failed: {starts_max} starts in {within:?}; one more in {pause:?}");
            self.note(Tag::Error, None, words);
        }
        next.pause()
    }

    fn note(&self, tag: Tag, pid: Option<u32>, words: String) {
        let replica = self.seat.name.as_str();
        self.routine.log.note(&Event { tag, replica, server_id: self.id, pid, words });
    }
}

fn shown(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}
