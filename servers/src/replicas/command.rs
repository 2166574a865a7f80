//! `servers balance`: the balancer and its replicas.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, Builder};
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::admin::{Admin, Office};
use super::attendant::{Care, Routine};
use super::crew::Crew;
use super::events::{Log, Paint};
use super::figures::Ledger;
use super::front::{Asking, Front, Paths};
use super::key::Key;
use super::lineup::Lineup;
use super::membership::{Membership, View};
use super::name::REPLICAS_MAX;
use super::process::Program;
use super::restarts::Pace;
use super::turns::Turns;
use crate::cli::{parse_model, parse_time};
use crate::control::{Control, Patience};
use crate::keeper::{Hangups, Keeper};
use crate::listener::{Listener, parse_address};
use crate::models::{Model, Site, Workers};
use crate::placement::command::parse_method;
use crate::placement::{self, Method, Probing};
use crate::proxy;
use crate::shape::{Shape, announce};
use crate::threads::Mappings;
use crate::waker::Waker;
use crate::{copies, tables};

const EXAMPLES: &str = "\
Examples:
  servers balance --events
  servers balance --listen 127.0.0.1:0 --replicas 5 --method ketama --key client
  servers balance --path /home --path /bytes/ --key path --admin 127.0.0.1:9000
  servers control add 2 S4 S5";

/// How many replicas, and how they are watched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Balance {
    /// Address and port; port 0 takes a free one, and the first line of output tells which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000",
          value_parser = parse_address)]
    pub listen: SocketAddr,
    /// How to wait for clients: a name that `servers list` shows
    #[arg(long, value_name = "NAME", default_value = "epoll-edge", value_parser = parse_model)]
    pub model: &'static Model,
    /// Threads that serve clients [default: what the model takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Replicas to begin with: Server-1, Server-2 and so on
    #[arg(long, value_name = "N", default_value = "3")]
    pub replicas: u16,
    /// A path that replicas answer, whatever the method; name the flag again for more. One that
    /// ends with / stands for all that begin with it
    #[arg(long, value_name = "PATH", default_value = "/home", value_parser = parse_path)]
    pub path: Vec<String>,
    /// Serve /stats (JSON) and /metrics (Prometheus) of the replicas there, not the API: that is on
    /// --listen
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub admin: Option<SocketAddr>,
    /// Show events on standard error, in colour on a terminal
    #[arg(long)]
    pub events: bool,
    /// Append events to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub events_file: Option<PathBuf>,
    /// Where the keys go.
    #[command(flatten)]
    pub ring: Ring,
    /// How replicas are kept alive.
    #[command(flatten)]
    pub health: Health,
    /// What is started.
    #[command(flatten)]
    pub start: Start,
}

/// Where the keys go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Placement")]
pub struct Ring {
    /// The method of consistent hashing: one that `servers place` shows
    #[arg(long, value_name = "NAME", default_value = "ring-modified", value_parser = parse_method)]
    pub method: &'static Method,
    /// What a request is placed by: those of the same key go to the same replica, as long as that
    /// is in service
    #[arg(long, value_enum, default_value = "random")]
    pub key: Key,
    /// Slots of a ring
    #[arg(long, value_name = "M", default_value = "512",
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub slots: u32,
    /// Copies of a replica on the ring
    #[arg(long, value_name = "K", default_value = "9",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub copies: u32,
    /// Where a copy goes on the ring when its slot is taken
    #[arg(long, value_enum, default_value = "linear")]
    pub probing: Probing,
}

/// How replicas are kept alive.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Health")]
pub struct Health {
    /// From one heartbeat to the next
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub heartbeat_interval: Duration,
    /// So many missed in a row, and the replica is killed and started again. One whose process ends
    /// is started again at once
    #[arg(long, value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub failures: u32,
    /// For a heartbeat, from connecting to its last octet; and, of a request that is sent on, for
    /// the connection, for the beginning of the answer, and between two pieces of it
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub request_timeout: Duration,
    /// From the start of a process to its first heartbeat
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub start_timeout: Duration,
    /// From SIGTERM to SIGKILL
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub stop_timeout: Duration,
    /// Replicas that are started or stopped at the same time
    #[arg(long, value_name = "N", default_value = "10",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// The pause before the second restart; it doubles with each further one
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_time)]
    pub pause: Duration,
    /// The longest pause
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub pause_max: Duration,
    /// So many starts within --starts-within, and the replica counts as failed: it is tried again
    /// after the longest pause only
    #[arg(long, value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub starts: u16,
    /// See --starts
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub starts_within: Duration,
    /// A replica that has served that long is well: its earlier restarts are forgotten
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub well_after: Duration,
}

/// What is started.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Replicas")]
pub struct Start {
    /// The program, which is given the arguments of `servers run` [default: this one]. A wrapper
    /// should `exec` it: SIGTERM is for the process that was started. What this leaves behind in
    /// its group is killed, but not when the balancer itself is
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The I/O model of the replicas: a name that `servers list` shows
    #[arg(long, value_name = "NAME", default_value = "epoll-level", value_parser = parse_model)]
    pub replica_model: &'static Model,
}

impl Balance {
    /// Whether there is room for so many replicas.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (count, free) = (self.replicas, view(&self.ring).free());
        let Ring { method, slots, copies, .. } = &self.ring;
        if usize::from(count) <= free {
            return Ok(());
        }
        Err(format!(
            "--replicas {count}: with --method {}, --slots {slots} and --copies {copies} there is \
             room for {free}",
            method.name
        ))
    }
}

/// Balances until it is told to stop.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balance) -> anyhow::Result<()> {
    options.model.check()?;
    // Another program may have other models.
    if options.start.program.is_none() {
        options.start.replica_model.check().context("the replicas do not start")?;
    }
    tables::raise_limit();
    let keeper = Keeper::new(None, Hangups::End).context("cannot watch for signals")?;
    // First of all, so that a second balancer on the same port is refused before it starts
    // anything.
    let shape = Shape::new(options.model, options.workers, options.model.tables);
    let listeners = shape.listen(options.listen, BACKLOG)?;
    let lineup = Arc::new(Lineup::new(Membership::new(view(&options.ring)))?);
    let crew = Arc::new(crew(options, Arc::clone(&lineup))?);
    let control = Control::new(patience(), BUFFER_OCTETS);
    let figures = figures(options, &lineup, &control)?;
    if found(&crew, options.replicas, &keeper)? == Founded::Stopped {
        return Ok(());
    }
    let paths = Arc::new(Paths(options.path.clone()));
    let office = Office::open(Admin { crew: Arc::clone(&crew), paths: Arc::clone(&paths) })?;
    let asking = Asking { paths, key: options.ring.key, patience: options.health.request_timeout };
    let front = Front::new(asking, &lineup, office.address)?;
    announce(&listeners, figures.as_ref().map(proxy::admin::Admin::address))?;
    let served = serve(options.model, shape, &front, &control, &keeper, listeners);
    crew.close();
    drop(office);
    served.context("the balancer gave up")
}

/// Starts the replicas. A signal meanwhile ends that, and stops those that there are; says whether
/// there are any to be served.
fn found(crew: &Crew, count: u16, keeper: &Keeper) -> anyhow::Result<Founded> {
    let over = Waker::new()?;
    thread::scope(|scope| {
        let hearing = Builder::new().spawn_scoped(scope, || {
            let stopped = keeper.hears_before(over.as_fd());
            if stopped {
                crew.close();
            }
            stopped
        })?;
        let found = crew.found(count.into());
        over.wake();
        match hearing.join() {
            Ok(true) => Ok(Founded::Stopped),
            _ => found.map(|()| Founded::Whole).map_err(|refusal| anyhow!("{refusal}")),
        }
    })
}

/// How it went to start the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Founded {
    /// All of them serve.
    Whole,
    /// The balancer was told to stop before they did.
    Stopped,
}

/// The server of figures, if there is to be one.
fn figures(
    options: &Balance,
    lineup: &Arc<Lineup>,
    control: &Control,
) -> anyhow::Result<Option<proxy::admin::Admin>> {
    let Some(address) = options.admin else { return Ok(None) };
    let ledger = Ledger {
        lineup: Arc::clone(lineup),
        stats: Arc::clone(&control.stats),
        method: options.ring.method.name,
        key: options.ring.key,
    };
    proxy::admin::Admin::of(address, Arc::new(ledger)).map(Some).context("no admin server")
}

/// Serves clients until the first signal, and then until they are done.
fn serve(
    model: &Model,
    shape: Shape,
    front: &Front,
    control: &Control,
    keeper: &Keeper,
    listeners: Vec<Listener>,
) -> io::Result<()> {
    let per_thread = model.workers == Workers::PerConnection;
    let site = Site {
        app: front,
        control,
        keeper,
        workers: shape.workers,
        threads_max: if per_thread { Mappings::count(STACK_OCTETS).room() } else { 0 },
        stack_octets: STACK_OCTETS,
    };
    // Clients must not use up the descriptors that heartbeats and restarts need: those are in this
    // table, clients in others. Where that may not be they share one, and a shortage is waited out.
    let serve = if tables::may_part() { copies::serve_apart } else { copies::serve };
    serve(model, &site, listeners, shape.listeners)
}

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Octets that a connection holds in each direction.
const BUFFER_OCTETS: usize = 16 << 10;
/// Octets of the stack of a thread that serves one client.
const STACK_OCTETS: usize = 64 << 10;

/// How long clients may take.
fn patience() -> Patience {
    let seconds = |count| Duration::from_secs(count).into();
    Patience {
        head: seconds(10),
        body: seconds(10),
        idle: seconds(60),
        write: seconds(30),
        linger: seconds(2),
        drain: seconds(10),
    }
}

fn crew(options: &Balance, lineup: Arc<Lineup>) -> anyhow::Result<Crew> {
    let shown = options.events.then(Paint::of_standard_error);
    Ok(Crew::new(Routine {
        program: program(&options.start),
        care: care(&options.health),
        log: Log::new(shown, options.events_file.as_deref())?,
        lineup,
        turns: Turns::new(options.health.batch.into()),
        id_next: AtomicU64::new(1),
    }))
}

/// Nobody yet, by the method that was asked for.
fn view(ring: &Ring) -> View {
    let (slots, copies) = (ring.slots as usize, ring.copies as usize);
    // As many as find all their copies a slot, so that the limit is the same for every method.
    let most = (slots / copies).min(REPLICAS_MAX);
    let shape = placement::Shape { slots, copies, probing: ring.probing, most };
    View::empty(ring.method, &shape)
}

/// This program (proc_pid_exe(5)), even after its file was removed or another one took its place:
/// an upgrade must not put replicas of another version beside those that there are, or none.
const THIS: &str = "/proc/self/exe";

fn program(start: &Start) -> Program {
    let (path, name) = match &start.program {
        Some(path) => (path.clone(), path.clone().into()),
        None => (THIS.into(), std::env::args_os().next().unwrap_or_else(|| "servers".into())),
    };
    let arguments = ["run", "--app", "http", "--listen", "127.0.0.1:0", "--model"];
    let arguments = arguments.into_iter().chain([start.replica_model.name]);
    Program { path, name, arguments: arguments.map(str::to_owned).collect() }
}

const fn care(health: &Health) -> Care {
    Care {
        interval: health.heartbeat_interval,
        failures: health.failures,
        request: health.request_timeout,
        start: health.start_timeout,
        stop: health.stop_timeout,
        pace: Pace {
            pause: health.pause,
            pause_max: health.pause_max,
            starts_max: health.starts as usize,
            within: health.starts_within,
            well_after: health.well_after,
        },
    }
}

fn parse_path(text: &str) -> Result<String, String> {
    match text {
        "/" | "/rep" | "/add" | "/rm" => Err(format!("`{text}` is the balancer's own")),
        _ if !text.starts_with('/') => Err("a path begins with /".into()),
        _ => Ok(text.into()),
    }
}
