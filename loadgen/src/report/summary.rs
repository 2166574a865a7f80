//! The one record that both sides of the pipe agree on: loadgen writes it, bench-harness reads it.
//!
//! Every duration is in nanoseconds and says so in its name; every size is in octets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::memory::Growth;
use crate::verdict::Verdict;

/// What one run of the load generator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The version of this layout. It changes when a field changes its meaning or goes away.
    pub schema: u32,
    /// The version of the load generator.
    pub version: String,
    /// The command line, so that the run can be repeated.
    pub command: Vec<String>,
    /// What was under load, as given: `tcp://127.0.0.1:7000` or `http://127.0.0.1:8080/`.
    pub target: String,
    /// Client connections: asked for, made, and served.
    pub connections: Connections,
    /// Requests, each in exactly one of these classes.
    pub requests: Requests,
    /// Errors by class.
    pub errors: Errors,
    /// What the replies were compared with, and how many were exact.
    #[serde(default)]
    pub replies: Replies,
    /// The length of the measuring phase in nanoseconds.
    pub elapsed_ns: u64,
    /// Answered requests a second over the measuring phase.
    pub rate: f64,
    /// Octets of requests sent and of replies received in the measuring phase.
    pub octets_sent: u64,
    /// Octets received in the measuring phase.
    pub octets_received: u64,
    /// Response time: from when a request was to be sent to the end of its reply. In a closed loop
    /// that is the moment when it was sent.
    pub latency: Latency,
    /// Open loop: service time, from when a request was sent to the end of its reply.
    #[serde(default)]
    pub service: Option<Latency>,
    /// Open loop: the schedule, and how well it was kept.
    #[serde(default)]
    pub pace: Option<Pace>,
    /// Time from connect(2) to an established connection.
    pub connect: Latency,
    /// System calls of the load generator in the measuring phase.
    #[serde(default)]
    pub calls: Calls,
    /// Errors of the connecting and warming-up phases, which belong to no measured request.
    #[serde(default)]
    pub errors_before: Errors,
    /// What the load generator itself used in the measuring phase.
    pub client: Usage,
    /// Where the time of requests went, if stamps of the kernel were asked for.
    #[serde(default)]
    pub path: Option<Path>,
    /// What memory was added from before the first connection to the end of measuring, with all
    /// connections open.
    #[serde(default)]
    pub memory: Growth,
    /// What each thread of the load generator did in the measuring phase.
    #[serde(default)]
    pub threads: Vec<ThreadUse>,
    /// What the watched process (`--watch PID`) used in the measuring phase.
    pub server: Option<Usage>,
    /// Whether a signal ended the run before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether all this can be believed.
    #[serde(default)]
    pub verdict: Verdict,
}

/// How well a schedule was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pace {
    /// The pattern as on the command line: `poisson`, `bursts:10`.
    pub arrivals: String,
    /// Requests a second that were asked for.
    pub rate: f64,
    /// The seed.
    pub seed: u64,
    /// How late the load generator itself was: from when a request was to be sent and a connection
    /// was free to when it was sent.
    pub lag: Latency,
    /// Time that requests waited because every connection was busy; only of those that did.
    pub queue: Latency,
    /// The most requests that waited at once, summed over the threads.
    pub queue_longest: u64,
}

/// The ways of requests, in bands of response time: narrow ones, so that a band can stand for a
/// percentile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Path {
    /// In ascending order; most are empty.
    pub bands: Vec<Band>,
}

/// Requests of about the same response time, and the sums of the parts of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Band {
    /// Requests.
    pub count: u64,
    /// From when they were to be sent to when they were sent.
    pub wait_ns: u64,
    /// From there to when the kernel gave them to the network device.
    pub send_ns: u64,
    /// From there to when the kernel had the reply: the network and the server.
    pub away_ns: u64,
    /// From there to when the reply had been read and checked.
    pub read_ns: u64,
}

impl Latency {
    /// The value at a percentile, if the sample supports one and it is not among the requests that
    /// had no answer.
    #[must_use]
    pub fn at(&self, percent: f64) -> Option<u64> {
        let found = self.percentiles.iter().find(|one| (one.percent - percent).abs() < 1e-9);
        found.and_then(|one| one.value_ns)
    }
}

impl Path {
    /// Adds the ways that another thread saw.
    pub fn merge(&mut self, other: &Self) {
        self.bands.resize(self.bands.len().max(other.bands.len()), Band::default());
        for (band, more) in self.bands.iter_mut().zip(&other.bands) {
            band.add(more);
        }
    }

    /// All bands as one.
    #[must_use]
    pub fn total(&self) -> Band {
        let mut total = Band::default();
        self.bands.iter().for_each(|band| total.add(band));
        total
    }
}

impl Band {
    /// Adds the requests of another band.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.wait_ns += other.wait_ns;
        self.send_ns += other.send_ns;
        self.away_ns += other.away_ns;
        self.read_ns += other.read_ns;
    }
}

/// What one thread of the load generator did in the measuring phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadUse {
    /// CPU time.
    pub cpu_ns: u64,
    /// The part of it that was spent spinning on purpose.
    pub spun_ns: u64,
    /// Time for which it was ready to run, but had no CPU (proc_pid_schedstat).
    pub delayed_ns: u64,
}

/// Client connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// Asked for on the command line.
    pub asked: u64,
    /// Established at the end of the connecting phase.
    pub established: u64,
    /// Had at least one answer in the measuring phase. Fewer than `established` means that the
    /// server left the others waiting: they are starved.
    pub served: u64,
    /// Silent connections held open beside the active ones.
    pub idle: u64,
    /// Made in the measuring phase in place of ones that had ended.
    pub reconnects: u64,
    /// Given up before the end: refused in the connecting phase or, later, ended without an answer
    /// time and again.
    #[serde(default)]
    pub abandoned: u64,
}

/// Requests of the measuring phase: `sent = answered + failed + outstanding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requests {
    /// Begun to be sent in the measuring phase, or out already when it began.
    pub sent: u64,
    /// Answered correctly and in full.
    pub answered: u64,
    /// Lost to an error; each is counted in [`Errors`] too.
    pub failed: u64,
    /// Still without an answer at the end: of measuring in a closed loop, of draining in an open
    /// one.
    pub outstanding: u64,
    /// Of those, the ones that had no answer while draining either.
    #[serde(default)]
    pub lost: u64,
    /// Open loop: planned, but never sent, since no connection became free. These are not in
    /// `sent`.
    #[serde(default)]
    pub unsent: u64,
    /// Open loop: of the answered ones, those that were planned in the measuring phase and answered
    /// after it.
    #[serde(default)]
    pub late: u64,
    /// Replies that nobody had asked for.
    #[serde(default)]
    pub unasked: u64,
}

/// Replies of the measuring phase, by whether they were what they had to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replies {
    /// What they were compared with.
    pub compared_with: Comparison,
    /// Those that were what they had to be.
    pub exact: u64,
    /// All others: `mismatch` and `mispaired` in [`Errors`].
    pub wrong: u64,
}

/// What a reply is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// Nothing: its content was counted and thrown away.
    #[default]
    Nothing,
    /// The message that was sent.
    Message,
    /// A text that is the same each time (`--expect`).
    Text,
    /// A file (`--expect-file`).
    File,
    /// The id of its request (`--request-ids`).
    Id,
}

/// Errors by class. One that happens while a request is out fails that request; `connect` ones and
/// those of idle connections do not belong to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// connect(2) failed or the connection was refused.
    pub connect: u64,
    /// A read failed for a reason other than a reset.
    pub read: u64,
    /// A write failed for a reason other than a reset.
    pub write: u64,
    /// The server reset the connection.
    pub reset: u64,
    /// The server closed the connection in place of an answer.
    pub closed: u64,
    /// No answer within the time-out.
    pub timeout: u64,
    /// An HTTP status other than 2xx.
    pub status: u64,
    /// A reply that was not what it had to be: a wrong octet, a broken head.
    pub mismatch: u64,
    /// A reply without the id of its request (`--request-ids`): that of another one, as a rule.
    #[serde(default)]
    pub mispaired: u64,
}

impl Requests {
    /// Adds those of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.failed += other.failed;
        self.outstanding += other.outstanding;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.late += other.late;
        self.unasked += other.unasked;
    }
}

impl Errors {
    /// Adds those of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.connect += other.connect;
        self.read += other.read;
        self.write += other.write;
        self.reset += other.reset;
        self.closed += other.closed;
        self.timeout += other.timeout;
        self.status += other.status;
        self.mismatch += other.mismatch;
        self.mispaired += other.mispaired;
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { connect, read, write, reset, closed, timeout, status, mismatch, mispaired } =
            *self;
        connect + read + write + reset + closed + timeout + status + mismatch + mispaired
    }
}

/// System calls that the load generator made for its requests, as it counted them itself. Those
/// that open and close a connection are not among them, apart from epoll_ctl(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Calls {
    /// epoll_pwait2(2).
    pub waits: u64,
    /// Connections that those waits found ready.
    pub events: u64,
    /// recv(2).
    pub receives: u64,
    /// send(2).
    pub sends: u64,
    /// epoll_ctl(2).
    pub controls: u64,
}

impl Calls {
    /// Adds those of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.waits += other.waits;
        self.events += other.events;
        self.receives += other.receives;
        self.sends += other.sends;
        self.controls += other.controls;
    }

    /// All of them, for one of `requests`.
    #[must_use]
    pub fn per_request(&self, requests: u64) -> f64 {
        let all = self.waits + self.receives + self.sends + self.controls;
        all as f64 / requests.max(1) as f64
    }

    /// Connections found ready by an average wait.
    #[must_use]
    pub fn events_per_wait(&self) -> f64 {
        self.events as f64 / self.waits.max(1) as f64
    }
}

/// A distribution of durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How many were recorded.
    pub count: u64,
    /// The smallest.
    pub min_ns: u64,
    /// The largest.
    pub max_ns: u64,
    /// The arithmetic mean.
    pub mean_ns: f64,
    /// The standard deviation.
    pub stdev_ns: f64,
    /// Value at each percentile: 50, 75, 90, 95, 99, 99.9, 99.99, 99.999. One that the sample is
    /// too small for (fewer than 368 for p99, 3,688 for p99.9, …) is left out. Requests that had no
    /// answer count as slower than all that had one.
    pub percentiles: Vec<Percentile>,
    /// The whole histogram, HdrHistogram V2 with deflate in base64, for merging and for charts.
    pub histogram: String,
}

/// One point of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// In percent: 99.9.
    pub percent: f64,
    /// The value in nanoseconds; none if it lies among the requests that had no answer.
    pub value_ns: Option<u64>,
    /// The lower end of its 95 % confidence interval.
    #[serde(default)]
    pub low_ns: Option<u64>,
    /// The upper end of it; none if it lies among the requests that had no answer.
    #[serde(default)]
    pub high_ns: Option<u64>,
}

/// What a process used between the start and the end of the measuring phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// User CPU time.
    pub user_ns: u64,
    /// System CPU time.
    pub system_ns: u64,
    /// Resident set size at the end of the measuring phase, with all connections open.
    pub resident_octets: u64,
    /// Threads at the end of the measuring phase.
    pub threads: u64,
    /// Voluntary context switches (a wait).
    pub switches_voluntary: u64,
    /// Involuntary context switches (the time slice was over).
    pub switches_involuntary: u64,
    /// Minor page faults.
    pub faults_minor: u64,
}
