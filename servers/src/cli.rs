//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::apps::Carriage;
use crate::cost::TimeWaits;
use crate::demonstrate::fd_setsize::{WAYS, Way};
use crate::listener::parse_address;
use crate::models::{MODELS, Model};
use crate::placement::command::Place;
use crate::proxy::options::Options;
use crate::replicas::command::Balance;
use crate::replicas::control::Control;
use crate::tables::Tables;

/// Echo and HTTP servers in thirteen I/O models that differ only in how they wait for sockets.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  servers list
  servers demonstrate fd-setsize
  servers demonstrate triggers
  servers run --model epoll-edge --app http --listen 127.0.0.1:8080 --workers 2
  servers run --model thread --app echo --listen '[fe80::1%eth0]:7000' --progress
  servers run --model reactors --app echo --listen 127.0.0.1:7000 \\
              --tables auto --clients 1000000
  servers run --model epoll-edge --app proxy --listen 127.0.0.1:8080 \\
              --backend 127.0.0.1:8081 --backend 127.0.0.1:8082,weight=3 \\
              --policy least-connections --health-path /heartbeat --admin 127.0.0.1:9000
  servers run --model reactors --app relay --listen 127.0.0.1:7001 \\
              --backend 127.0.0.1:7000 --relay-by splice
  servers balance --listen 127.0.0.1:5000 --replicas 3 --events
  servers control --at 127.0.0.1:5000 add 2 S4

Exit status: 0 fine, 1 failed, 2 wrong usage.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the models, or the policies of proxies
    List(List),
    /// Serve until SIGTERM or Ctrl-C, then finish what has been asked and exit with 0. A second
    /// signal ends it at once. SIGHUP makes a proxy read --backends again
    Run(Box<Run>),
    /// Show what comes of a limit or of a trigger, by trying
    #[command(subcommand)]
    Demonstrate(Demonstrate),
    /// Time the waits of a poller, by idle and by active connections. Every wait finds something
    /// ready: falling asleep and being woken are not in it
    TimeWaits(TimeWaits),
    /// Balance requests over replicas that are started, watched and replaced
    Balance(Box<Balance>),
    /// Ask a balancer for its replicas, or for more or fewer of them
    Control(Control),
    /// Place keys on nodes by each method of consistent hashing, and say how evenly that comes out
    Place(Place),
    /// Programs before the socket: XDP, AF_XDP, and their counterparts in user space
    Packet(packet::command::Packet),
}

/// What to show, and how.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The policies by which a proxy chooses among its backends, in place of the models
    #[arg(long)]
    pub policies: bool,
    /// For people, for spreadsheets, for programs
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// The form of a listing.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// A line a row, with a head.
    Csv,
    /// For programs.
    Json,
}

/// What to show.
#[derive(Debug, Subcommand)]
pub enum Demonstrate {
    /// What programs do with a descriptor that an fd_set has no room for, each in its own process
    FdSetsize(FdSetsize),
    /// Whom epoll tells what, level-, edge- and one-shot-triggered, and what the wrong one costs
    Triggers(Triggers),
}

/// How to show it.
#[derive(Debug, clap::Args)]
pub struct FdSetsize {
    /// For people, for spreadsheets, for programs
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Go this way, in this process, which may not outlive it: how the processes are told
    #[arg(long, hide = true, value_parser = parse_way)]
    pub way: Option<&'static Way>,
}

/// How to show it.
#[derive(Debug, clap::Args)]
pub struct Triggers {
    /// For people, for spreadsheets, for programs
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

/// What to serve, and how.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// How to wait for sockets: a name that `servers list` shows
    #[arg(long, value_parser = parse_model)]
    pub model: &'static Model,
    /// What to do for clients
    #[arg(long, value_enum)]
    pub app: AppName,
    /// Address and port; port 0 takes a free one, and the first line of output tells which
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_address)]
    pub listen: SocketAddr,
    /// Threads that serve, for each table [default: what the model takes: 1, 10 for the pool, or
    /// one for each CPU, shared out among the tables]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Descriptor tables, each with a copy of the model. The hard limit of RLIMIT_NOFILE holds for
    /// each. `auto` takes as many as --clients needs [default: 1; 8 for select-sharded]
    #[arg(long, value_name = "N|auto")]
    pub tables: Option<Tables>,
    /// Clients to have room for at once: where a limit leaves no room for so many, say what to
    /// change, and do not start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clients: Option<u32>,
    /// Serve the files below this directory as /files/… (HTTP)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What each message is answered with (fixed)
    #[arg(long, value_name = "TEXT", default_value = "Hello, world!",
          value_parser = NonEmptyStringValueParser::new())]
    pub reply: String,
    /// How many octets a message has (fixed)
    #[arg(long, value_name = "OCTETS", default_value = "14")]
    pub message_size: NonZeroUsize,
    /// Which of several servers this is: /home says it (HTTP) [default: the variable SERVER_ID, or
    /// 0]
    #[arg(long, value_name = "ID")]
    pub server_id: Option<String>,
    /// What ps(1) and top(1) call the process, in up to 15 octets [default: as its file]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Show connections and rates on standard error, once a second
    #[arg(long)]
    pub progress: bool,
    /// At the end, write the counters to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub counters: Option<PathBuf>,
    /// How a relay carries octets from one socket to the other
    #[arg(long, value_name = "WAY", value_enum, default_value = "copy")]
    pub relay_by: Carriage,
    /// Where requests go.
    #[command(flatten)]
    pub proxy: Options,
    /// Limits and deadlines.
    #[command(flatten)]
    pub limits: Limits,
}

impl Cli {
    /// Reads the command line; a wrong one ends the program.
    #[must_use]
    pub fn read() -> Self {
        let cli = Self::parse();
        let checked = match &cli.command {
            Command::Run(run) => run.check(),
            Command::Balance(balance) => balance.check(),
            Command::Control(control) => control.check(),
            _ => Ok(()),
        };
        if let Err(words) = checked {
            Self::command().error(ErrorKind::ArgumentConflict, words).exit();
        }
        cli
    }
}

impl Run {
    /// Which of several servers this is.
    #[must_use]
    pub fn server_id(&self) -> String {
        let given = self.server_id.clone().or_else(|| std::env::var("SERVER_ID").ok());
        given.unwrap_or_else(|| "0".into())
    }

    /// What the flags say together.
    fn check(&self) -> Result<(), String> {
        if self.tables == Some(Tables::Auto) && self.clients.is_none() {
            return Err("--tables auto takes as many as --clients needs: how many clients?".into());
        }
        match self.proxy.any_given() {
            Some(flag) if !self.app.forwards() => {
                Err(format!("{flag} is for --app proxy or --app relay: no other app has backends"))
            }
            _ => Ok(()),
        }
    }
}

/// What to do for clients.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AppName {
    /// Send back what they send.
    Echo,
    /// Answer HTTP/1.0 and HTTP/1.1.
    Http,
    /// Answer each message of --message-size octets with --reply.
    Fixed,
    /// Pass HTTP requests on to backends, and their answers back.
    Proxy,
    /// Pass octets on to backends and back, whatever they mean.
    Relay,
}

impl AppName {
    /// Whether it passes on what comes, and so needs backends.
    #[must_use]
    pub const fn forwards(self) -> bool {
        matches!(self, Self::Proxy | Self::Relay)
    }

    /// How many descriptors it may have open for one client: the connection and, as the case may
    /// be, a file, or the connection to a backend and a pipe in each direction.
    #[must_use]
    pub const fn descriptors(self, run: &Run) -> u64 {
        match (self, run.relay_by) {
            (Self::Http, _) if run.root.is_some() => 2,
            (Self::Echo | Self::Http | Self::Fixed, _) => 1,
            (Self::Relay, Carriage::Splice) => 6,
            (Self::Proxy | Self::Relay, _) => 2,
        }
    }
}

/// Limits and deadlines: the same for all models.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Clients that may wait to be accepted; the kernel's net.core.somaxconn limits it too
    #[arg(long, value_name = "N", default_value = "4096",
          value_parser = clap::value_parser!(i32).range(1..))]
    pub backlog: i32,
    /// The buffer of a connection in each direction, in octets, while something is in it
    #[arg(long, value_name = "OCTETS", default_value = "16384",
          value_parser = clap::value_parser!(u32).range(1024..=16_777_216))]
    pub buffer: u32,
    /// The stack of a thread that serves one client, in octets
    #[arg(long, value_name = "OCTETS", default_value = "65536",
          value_parser = clap::value_parser!(u32).range(16_384..=1_073_741_824))]
    pub stack: u32,
    /// The longest head of a request, in octets (then 431)
    #[arg(long, value_name = "OCTETS", default_value = "8192",
          value_parser = clap::value_parser!(u32).range(64..))]
    pub head_max: u32,
    /// The longest body of a request, in octets (then 413)
    #[arg(long, value_name = "OCTETS", default_value = "8388608")]
    pub body_max: u64,
    /// How long the head of a request may take (then 408)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub head_timeout: Duration,
    /// How long a client may pause in the middle of a body (then 408)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub body_timeout: Duration,
    /// How long a client may keep a connection without a request
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub idle_timeout: Duration,
    /// How long a client may leave its answer unread
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub write_timeout: Duration,
    /// How long clients have to finish when the server stops
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub drain_timeout: Duration,
}

/// As `humantime` counts a hundred years.
const CENTURY: Duration = Duration::from_secs(100 * 31_557_600);

pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; a time is a number with a unit: 500ms, 10s, 2min"))?;
    match time {
        Duration::ZERO => Err("a time-out of nothing would end everything at once".into()),
        // A moment so far away could not be told from the clock's own limits.
        _ if time > CENTURY => Err("more than a century; the longest time is 100years".into()),
        _ => Ok(time),
    }
}

pub(crate) fn parse_model(name: &str) -> Result<&'static Model, String> {
    crate::models::model(name).ok_or_else(|| {
        let names = MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
        format!("there is no such model; the models are {names}")
    })
}

fn parse_way(name: &str) -> Result<&'static Way, String> {
    WAYS.iter().find(|way| way.name == name).ok_or_else(|| "there is no such way".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_example_that_is_too_long_for_a_line_goes_on_behind_a_backslash() {
        let lines = EXAMPLES.lines().collect::<Vec<_>>();
        assert!(lines.iter().all(|line| line.len() <= 90), "{EXAMPLES}");
        let goes_on = |line: &str| line.starts_with("      ");
        for pair in lines.windows(2) {
            assert_eq!(goes_on(pair[1]), pair[0].ends_with('\\'), "{}", pair[0]);
        }
    }

    #[test]
    fn an_unknown_model_is_answered_with_the_names() {
        let line =
            ["servers", "run", "--model", "epol", "--app", "echo", "--listen", "127.0.0.1:0"];
        let error = Cli::try_parse_from(line).unwrap_err().to_string();
        assert!(error.contains("epoll-level, epoll-edge"), "{error}");
    }

    #[test]
    fn a_time_needs_a_unit() {
        assert!(parse_time("10").is_err() && parse_time("0s").is_err());
        assert_eq!(parse_time("1500ms"), Ok(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_time_beyond_all_clocks_is_refused() {
        assert_eq!(parse_time("100years"), Ok(CENTURY));
        assert!(parse_time("101years").is_err_and(|words| words.contains("century")));
    }
}
