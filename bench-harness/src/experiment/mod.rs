//! What an experiment is: a question, an expectation, a matrix, a load, and what to draw.
//!
//! The file is the experiment. Unknown keys are errors, so that a misspelt key never silently
//! measures something else.

pub mod arrivals;
pub mod condition;
pub mod count;
pub mod load;
pub mod matrix;
pub mod model;
pub mod order;
pub mod policy;
pub mod proxy;
pub mod published;
pub mod span;

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use arrivals::Arrivals;
use condition::Condition;
use count::Fewer;
use model::Selection;
use proxy::Proxy;
use published::Published;

/// An experiment as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiment {
    /// What the experiment is to find out, in one sentence.
    pub question: String,
    /// What its author believes will come out. It is printed beside what did come out.
    pub expectation: String,
    /// How often each cell is measured, each time with a fresh server process.
    #[serde(default = "once")]
    pub repeat: NonZeroU32,
    /// The conditions to be combined.
    pub matrix: Matrix,
    /// More of them: a cell that is in several matrices is measured as one.
    #[serde(default)]
    pub also: Vec<Matrix>,
    /// Cells that have a number of their own, in this order: `run --cases` makes only these.
    #[serde(default)]
    pub case: Vec<Condition>,
    /// What others have published about the same.
    pub published: Option<Published>,
    /// What stands behind the proxies of the matrix.
    pub proxy: Option<Proxy>,
    /// What is the same in all trials.
    pub load: Load,
    /// Cells that make no sense, each with the reason.
    #[serde(default)]
    pub skip: Vec<Skip>,
    /// The figures to draw.
    #[serde(deserialize_with = "load::filled")]
    pub charts: Vec<Chart>,
    /// How to read the result: Markdown that goes into the report.
    #[serde(default)]
    pub analysis: String,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// The axes. A cell is one value of each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Matrix {
    /// `"all"`, or a list of names that `servers list` knows.
    pub model: Selection,
    /// What the servers are for.
    #[serde(deserialize_with = "load::filled")]
    pub app: Vec<App>,
    /// How a proxy chooses among its backends: names that `servers list --policies` knows. Without
    /// this axis it has its default.
    #[serde(default, deserialize_with = "load::filled")]
    pub policy: Vec<String>,
    /// Active client connections.
    #[serde(deserialize_with = "load::filled")]
    pub connections: Vec<NonZeroU64>,
    /// Silent connections held open beside the active ones.
    #[serde(default = "no_idle", deserialize_with = "load::filled")]
    pub idle: Vec<u64>,
    /// Octets of payload; without this axis each app has its own small default.
    #[serde(default, deserialize_with = "load::filled")]
    pub size: Vec<NonZeroU64>,
    /// Open loop: requests a second, over all connections. Without this axis, and without
    /// [`Load::rate`], the loop is closed.
    #[serde(default, deserialize_with = "load::filled")]
    pub rate: Vec<NonZeroU64>,
}

fn no_idle() -> Vec<u64> {
    vec![0]
}

/// What is the same in all trials of an experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Load before the measuring phase; it is not counted.
    #[serde(deserialize_with = "span::deserialize")]
    pub warm_up: Duration,
    /// The measuring phase; with [`Load::count`], how long that may take at most.
    #[serde(deserialize_with = "span::deserialize")]
    pub measure: Duration,
    /// Requests of each connection, in place of a time. No connection is replaced then, and a trial
    /// in which not every client had all its answers has failed.
    pub count: Option<NonZeroU64>,
    /// Where a smaller number of requests is enough.
    #[serde(default)]
    pub fewer: Vec<Fewer>,
    /// The text of an echo message, where the matrix has no sizes.
    pub message: Option<String>,
    /// Whether a table of what each connection did is kept.
    #[serde(default)]
    pub sessions: bool,
    /// Whether the limits on threads are raised for the run, and put back after it.
    #[serde(default)]
    pub raise: bool,
    /// How long one request may take before it is counted as an error.
    #[serde(default = "five_seconds", deserialize_with = "span::deserialize")]
    pub timeout: Duration,
    /// The path of HTTP requests, where the matrix has no sizes.
    #[serde(default = "root")]
    pub path: String,
    /// Requests on one connection before it is closed and made anew.
    pub reconnect_every: Option<NonZeroU64>,
    /// `--workers` of the servers; by default the number of CPUs they are pinned to.
    pub workers: Option<NonZeroU32>,
    /// Open loop: requests a second in all trials, where the matrix has no rates.
    pub rate: Option<NonZeroU64>,
    /// Open loop: how the requests are spread over time; constant if not given.
    pub arrivals: Option<Arrivals>,
    /// Threads of the load generator; by default its own choice.
    pub threads: Option<NonZeroU32>,
    /// Whether the kernel is asked when requests left and replies came.
    #[serde(default)]
    pub stamps: bool,
    /// Whether the CPU time of each process and of the host is written down once a second.
    #[serde(default)]
    pub cpu_samples: bool,
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn root() -> String {
    "/".into()
}

/// Cells to leave out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The condition that a cell to be left out fulfils.
    #[serde(rename = "where")]
    pub condition: Condition,
    /// Why.
    pub because: String,
}

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum App {
    /// Each octet comes back.
    Echo,
    /// HTTP/1.1 with keep-alive.
    Http,
    /// A proxy that chooses a backend for each HTTP request.
    Proxy,
    /// A proxy that chooses a backend for each connection, and passes on octets both ways.
    Relay,
}

impl App {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Echo, Self::Http, Self::Proxy, Self::Relay];

    /// What its clients talk to in the end: the app itself, or that of the backends.
    #[must_use]
    pub fn behind(self) -> Self {
        match self {
            Self::Echo | Self::Relay => Self::Echo,
            Self::Http | Self::Proxy => Self::Http,
        }
    }

    /// How the load generator is told to speak to it.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self.behind() {
            Self::Http | Self::Proxy => "http",
            Self::Echo | Self::Relay => "tcp",
        }
    }

    /// Whether it stands before backends.
    #[must_use]
    pub fn is_proxy(self) -> bool {
        self.behind() != self
    }

    /// The name on command lines and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Http => "http",
            Self::Proxy => "proxy",
            Self::Relay => "relay",
        }
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A figure that an experiment can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chart {
    /// Requests a second over connections.
    Throughput,
    /// Latency over percentiles.
    Latency,
    /// How latency is distributed, a row a model.
    Distribution,
    /// CPU time of the server for one request.
    Cpu,
    /// Resident memory over connections.
    Memory,
    /// What idle connections cost the active ones.
    IdleCrowd,
    /// Rate over the size of a reply.
    Payload,
    /// A connection per request.
    Churn,
    /// Open loop: percentiles of response time over the rate asked for.
    LatencyUnderLoad,
    /// What response times are made of, by the stamps of the kernel.
    WhereTimeGoes,
    /// Mean response time over clients, in bars beside each other, beside what others have
    /// published.
    ResponseTimes,
    /// Clients over response time, which is the rate in a closed loop, here and as published.
    ImpliedRate,
    /// CPU time and response time of each policy, with each model.
    Policies,
    /// What share of the requests each backend had.
    Backends,
}

/// One point of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The I/O model.
    pub model: String,
    /// The app.
    pub app: App,
    /// How a proxy chooses among its backends; `None` leaves it to that.
    pub policy: Option<String>,
    /// Active connections.
    pub connections: u64,
    /// Idle connections.
    pub idle: u64,
    /// Octets of payload, where the experiment sets them.
    pub size: Option<u64>,
    /// Requests a second to be sent; `None` in a closed loop.
    pub rate: Option<u64>,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.model, self.app)?;
        self.policy.iter().try_for_each(|policy| write!(f, " {policy}"))?;
        write!(f, " c={}", self.connections)?;
        if self.idle > 0 {
            write!(f, " idle={}", self.idle)?;
        }
        self.size.map_or(Ok(()), |size| write!(f, " size={size}"))?;
        self.rate.map_or(Ok(()), |rate| write!(f, " rate={rate}"))
    }
}

/// One measurement to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Place in the order of the run, from 1.
    pub number: usize,
    /// Which repeat of the whole matrix it belongs to, from 1.
    pub block: u32,
    /// Under which conditions.
    pub cell: Cell,
}
