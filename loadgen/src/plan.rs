//! The validated workload: all that a run needs to know, and nothing about how it was asked for.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::{Seat, Trust};
use crate::cli::parse_duration;
use crate::schedule::Schedule;
use crate::target::Target;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The command line, for the record.
    pub command: Vec<String>,
    /// What is put under load.
    pub target: Target,
    /// What is said to it.
    pub work: Work,
    /// When requests are sent.
    pub load: Load,
    /// Connections that send requests.
    pub connections: usize,
    /// Connections that are opened first and then stay silent.
    pub idle: usize,
    /// Threads, each with its own epoll instance and its own share of the connections.
    pub threads: usize,
    /// Whether the threads share one descriptor table.
    pub tables: Tables,
    /// CPUs to pin the threads to, in turn; none leaves it to the kernel.
    pub cpus: Vec<usize>,
    /// How long load is given before measuring begins.
    pub warm_up: Duration,
    /// When it is over.
    pub stop: Stop,
    /// A new connection takes the place of one that has carried this many requests.
    pub reconnect_every: Option<NonZeroU64>,
    /// What becomes of a client whose connection ends before its time.
    pub lost: Lost,
    /// The place of this process among the agents of a run.
    pub seat: Seat,
    /// When the load begins, as a time since the Unix epoch; none begins at once.
    pub start_at: Option<Duration>,
    /// Whether the user vouches for the wall clock.
    pub trust: Trust,
    /// Of everything that is drawn at random.
    pub seed: u64,
    /// How long all connections stay open after their last answer, if a number of requests decides.
    pub hold: Duration,
    /// Requests that may be out on one connection at once.
    pub depth: usize,
    /// How long before a planned send the engine stops sleeping and spins. If it is not zero, it
    /// also spins while answers are out.
    pub spin: Duration,
    /// Where the server tells what it has counted.
    pub server_stats: Option<Target>,
    /// Whether the kernel is asked when requests left it and replies came.
    pub stamps: bool,
    /// How long to wait for a connection and for an answer.
    pub patience: Patience,
    /// Whether replies may gather for a moment before they are fetched.
    pub coalesce: Coalesce,
    /// The process whose use of the host is taken at the edges of the measuring phase.
    pub watch: Option<i32>,
}

/// When requests are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// As soon as a connection has the answer to its last one, or a while later. So a slow server
    /// is asked less often.
    Closed(Think),
    /// As a schedule says, whatever the server does.
    Open(Schedule),
}

impl Load {
    /// Whether a request has a time at which it is to be sent, which may differ from the time at
    /// which it is sent.
    #[must_use]
    pub fn has_planned_times(&self) -> bool {
        !matches!(self, Self::Closed(Think::None))
    }
}

/// The pause between an answer and the next request of that connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Think {
    /// None.
    None,
    /// Always this long.
    Constant(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("exp:") {
            Some(mean) => parse_duration(mean).map(Self::Exponential),
            None => parse_duration(text).map(Self::Constant),
        }
    }
}

/// Where the descriptors of a thread's connections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// In one table for all.
    Shared,
    /// In a table of its own (unshare(2)): the limit on descriptors is one of each table.
    Own,
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After this much time of measuring.
    After(Duration),
    /// When every connection has made this many requests.
    Each(NonZeroU64),
}

/// What becomes of a client whose connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It gets a new connection, as a user would ask again.
    Replaced,
    /// It is out, so that the number of clients served is the number that were served at once.
    LeftOut,
}

/// What is said to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A message, which has to come back.
    Echo(Message),
    /// A message, to which this text is the answer.
    Fixed(Message, String),
    /// An HTTP request.
    Http(Request),
}

/// What an echo server is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The same text each time.
    Text(String),
    /// That many octets, which differ from connection to connection and from request to request.
    Varied(usize),
}

/// What an HTTP server is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method: a token (RFC 9110, section 9.1).
    pub method: String,
    /// The value of the Host field.
    pub host: String,
    /// The target of the request line.
    pub path: String,
    /// The length of the body in octets; none for a request without one.
    pub body: Option<usize>,
    /// What the content of each reply has to be.
    pub expect: Expect,
}

/// What the content of an HTTP reply has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Anything,
    /// These octets and no others.
    Octets(Arc<[u8]>),
    /// The id of its own request somewhere in it, which this agent gives to each of them.
    OwnId(u32),
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an answer.
    pub answer: Duration,
    /// For a connection.
    pub connect: Duration,
}

/// Whether replies may gather for a moment before they are fetched; see [`crate::engine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coalesce {
    /// For at most 1/32 of the mean latency and 50 µs.
    Auto,
    /// Each is fetched at once.
    Off,
}
