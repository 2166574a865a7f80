//! `servers balance`: the balancer and its replicas.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::admin::Admin;
use super::attendant::{Care, Routine};
use super::crew::Crew;
use super::events::{Log, Paint};
use super::forward::Forward;
use super::membership::View;
use super::process::Program;
use super::restarts::Pace;
use super::turns::Turns;
use crate::cli::parse_time;
use crate::control::{Control, Patience};
use crate::keeper::Keeper;
use crate::listener::{self, parse_address};
use crate::models::{self, Site};
use crate::placement::{self, Method, Shape};
use crate::{copies, tables};

/// How many replicas, and how they are watched.
#[derive(Debug, clap::Args)]
pub struct Balance {
    /// Address and port; port 0 takes a free one, and the first line of output tells which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000",
          value_parser = parse_address)]
    pub listen: SocketAddr,
    /// Replicas to begin with: Server-1, Server-2 and so on
    #[arg(long, value_name = "N", default_value = "3")]
    pub replicas: u16,
    /// A path that replicas answer; name the flag again for more. One that ends with / stands for all
    /// that begin with it
    #[arg(long, value_name = "PATH", default_value = "/home", value_parser = parse_path)]
    pub path: Vec<String>,
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
    /// Slots of a ring
    #[arg(long, value_name = "M", default_value = "512",
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub slots: u32,
    /// Copies of a replica on the ring
    #[arg(long, value_name = "K", default_value = "9",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub copies: u32,
}

/// How replicas are kept alive.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Health")]
pub struct Health {
    /// From one heartbeat to the next
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub heartbeat_interval: Duration,
    /// So many missed in a row, and the replica is killed and started again. One whose process ends is
    /// started again at once
    #[arg(long, value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub failures: u32,
    /// For a whole exchange with a replica, from connecting to the last octet
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
    /// So many starts within --starts-within, and the replica counts as failed: it is tried again after
    /// the longest pause only
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
    /// The program, which is given the arguments of `servers run` [default: this one]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The I/O model of the replicas: a name that `servers list` shows
    #[arg(long, value_name = "NAME", default_value = "epoll-level")]
    pub replica_model: String,
}

/// Balances until it is told to stop.
///
/// # Errors
/// What failed, in words.
pub fn run(options: &Balance) -> anyhow::Result<()> {
    tables::raise_limit();
    let keeper = Keeper::new(None).context("cannot watch for signals")?;
    // First of all, so that a second balancer on the same port is refused before it starts anything.
    let listeners = listener::listen(options.listen, BACKLOG, 1)?;
    let crew = Arc::new(crew(options)?);
    crew.found(options.replicas.into()).map_err(|refusal| anyhow!("{refusal}"))?;
    let forward = Forward::new(options.path.clone(), options.health.request_timeout);
    let app = Admin { crew: Arc::clone(&crew), forward: Arc::new(forward) };
    let mut out = io::stdout().lock();
    writeln!(out, "listening {}", listener::address_of(&listeners)?)?;
    out.flush()?;
    let control = Control::new(patience(), BUFFER_OCTETS);
    let site = Site {
        app: &app,
        control: &control,
        keeper: &keeper,
        workers: 1,
        threads_max: CLIENTS_MAX,
        stack_octets: STACK_OCTETS,
    };
    let model = models::model("thread").context("the model of the admin API is missing")?;
    let served = copies::serve(model, &site, listeners, 1);
    crew.close();
    served.context("the balancer gave up")
}

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Of a connection in each direction.
const BUFFER_OCTETS: usize = 16 << 10;
/// Clients at once, a thread each.
const CLIENTS_MAX: usize = 4096;
/// Of such a thread.
const STACK_OCTETS: usize = 256 << 10;

/// How long clients of the API may take.
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

fn crew(options: &Balance) -> anyhow::Result<Crew> {
    let Ring { method, slots, copies } = options.ring;
    // As many as find all their copies a slot, so that the limit is the same for every method.
    let most = (slots / copies) as usize;
    let (slots, copies) = (slots as usize, copies as usize);
    let shape = Shape { slots, copies, most, ..Shape::default() };
    let view = View::empty((method.new)(&shape), most);
    let shown = options.events.then(Paint::of_standard_error);
    let routine = Routine {
        program: program(&options.start)?,
        care: care(&options.health),
        log: Log::new(shown, options.events_file.as_deref())?,
        turns: Turns::new(options.health.batch.into()),
        id_next: AtomicU64::new(1),
    };
    Ok(Crew::new(routine, view))
}

fn program(start: &Start) -> anyhow::Result<Program> {
    let this = || std::env::current_exe().context("cannot find this program again");
    let path = start.program.clone().map_or_else(this, Ok)?;
    let arguments = ["run", "--app", "http", "--listen", "127.0.0.1:0", "--model"];
    let arguments = arguments.into_iter().chain([start.replica_model.as_str()]);
    Ok(Program { path, arguments: arguments.map(str::to_owned).collect() })
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

fn parse_method(name: &str) -> Result<&'static Method, String> {
    placement::method(name).ok_or_else(|| {
        let names = placement::names().collect::<Vec<_>>().join(", ");
        format!("there is no such method; the methods are {names}")
    })
}

fn parse_path(text: &str) -> Result<String, String> {
    match text {
        "/" | "/rep" | "/add" | "/rm" => Err(format!("`{text}` is the balancer's own")),
        _ if !text.starts_with('/') => Err("a path begins with /".into()),
        _ => Ok(text.into()),
    }
}
