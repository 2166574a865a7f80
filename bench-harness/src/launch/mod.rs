//! How servers and load are started: as real processes, or by a script in tests.
//!
//! The runner knows only the two traits. So each way in which a trial can fail is tested without a
//! socket and without waiting.

pub mod child;
pub mod fake;
pub mod pinning;
pub mod process;
pub mod sampler;
pub mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use sampler::Sample;
use serde::{Deserialize, Serialize};

use crate::experiment::arrivals::Arrivals;
use crate::experiment::proxy::Proxy;
use crate::experiment::{App, span};

/// Which server to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPlan {
    /// The I/O model.
    pub model: String,
    /// The app.
    pub app: App,
    /// `--workers`; `None` leaves it to the model.
    pub workers: Option<u32>,
    /// More options of `servers run`.
    pub options: Vec<String>,
    /// What stands behind it, if it is a proxy.
    pub behind: Option<Behind>,
}

/// The backends of a proxy: servers of the app that its clients talk to in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// How many there are.
    pub backends: u32,
    /// What each of them is.
    pub backend: Box<ServerPlan>,
    /// How the proxy chooses among them; `None` leaves it to that.
    pub policy: Option<String>,
}

impl ServerPlan {
    /// A model with an app, and nothing out of the ordinary: a proxy has two backends.
    #[must_use]
    pub fn new(model: &str, app: App) -> Self {
        let behind = app.is_proxy().then(|| Behind::new(app, &Proxy::default(), None));
        Self { model: model.into(), app, workers: None, options: Vec::new(), behind }
    }
}

impl Behind {
    /// What an experiment says that stands behind such a proxy.
    #[must_use]
    pub fn new(app: App, proxy: &Proxy, policy: Option<String>) -> Self {
        let Proxy { backends, backend_model, backend_options, .. } = proxy;
        let backend = ServerPlan {
            workers: Some(1),
            options: backend_options.clone(),
            ..ServerPlan::new(backend_model, app.behind())
        };
        Self { backends: backends.get(), backend: Box::new(backend), policy }
    }
}

/// Which load to put on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// What the server speaks.
    pub app: App,
    /// Active connections.
    pub connections: u64,
    /// Silent connections.
    pub idle: u64,
    /// Octets of payload; `None` for the default of the app.
    pub size: Option<u64>,
    /// The path of HTTP requests without a size.
    pub path: String,
    /// Requests on a connection before it is made anew.
    pub reconnect_every: Option<u64>,
    /// Load that is not counted.
    pub warm_up: Duration,
    /// The measuring phase.
    pub measure: Duration,
    /// For one request.
    pub timeout: Duration,
    /// The schedule of an open loop; `None` in a closed one.
    pub schedule: Option<Schedule>,
    /// Threads of the load generator; `None` leaves it to that.
    pub threads: Option<u32>,
    /// Whether the kernel is asked when requests left and replies came.
    pub stamps: bool,
    /// Requests of each connection, in place of a time.
    pub count: Option<Count>,
    /// The text of an echo message without a size.
    pub message: Option<String>,
    /// Whether the CPU time of all processes is taken once a second.
    pub samples: bool,
}

/// A load that is over when every client has made so many requests, on one connection each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Requests of each client.
    pub each: u64,
    /// Where a table of what each connection did is written; `None` for nowhere.
    pub sessions: Option<PathBuf>,
}

/// When requests are to be sent, whatever the server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Requests a second over all connections.
    pub rate: u64,
    /// How they are spread; `None` for evenly.
    pub arrivals: Option<Arrivals>,
    /// The same seed gives the same times.
    pub seed: u64,
}

impl LoadPlan {
    /// A closed loop for so long: clients that ask again as soon as they have their answer, and are
    /// given up after ten seconds without one.
    #[must_use]
    pub fn closed(app: App, connections: u64, warm_up: Duration, measure: Duration) -> Self {
        Self {
            app,
            connections,
            idle: 0,
            size: None,
            path: "/".into(),
            reconnect_every: None,
            warm_up,
            measure,
            timeout: Duration::from_secs(10),
            schedule: None,
            threads: None,
            stamps: false,
            count: None,
            message: None,
            samples: false,
        }
    }

    /// The target of loadgen for a server at this address.
    #[must_use]
    pub fn target(&self, address: SocketAddr) -> String {
        let path = match (self.app.behind(), self.size) {
            (App::Http, None) => self.path.clone(),
            (App::Http, Some(size)) => format!("/bytes/{size}"),
            _ => String::new(),
        };
        format!("{}://{address}{path}", self.app.scheme())
    }

    /// The command line of loadgen, without the program.
    #[must_use]
    pub fn arguments(&self, address: SocketAddr, server: u32) -> Vec<String> {
        let mut line = vec!["--target".to_owned(), self.target(address)];
        let mut push = |name: &str, value: String| line.extend([name.to_owned(), value]);
        push("--connections", self.connections.to_string());
        if self.idle > 0 {
            push("--idle", self.idle.to_string());
        }
        if let (App::Echo, Some(size)) = (self.app.behind(), self.size) {
            push("--size", size.to_string());
        }
        if let Some(requests) = self.reconnect_every {
            push("--reconnect-every", requests.to_string());
        }
        if let (App::Echo, None, Some(text)) = (self.app.behind(), self.size, &self.message) {
            push("--message", text.clone());
        }
        if self.count.is_none() {
            push("--warm-up", span::flag(self.warm_up));
            push("--duration", span::flag(self.measure));
        }
        push("--timeout", span::flag(self.timeout));
        push("--watch", server.to_string());
        push("--format", "json".into());
        push("--progress", "none".into());
        if let Some(threads) = self.threads {
            push("--threads", threads.to_string());
        }
        line.extend(self.schedule.iter().flat_map(Schedule::arguments));
        line.extend(self.stamps.then(|| "--stamps".into()));
        line.extend(self.count.iter().flat_map(Count::arguments));
        line
    }

    /// How long the load generator may take before it is taken for hung: connecting, both phases, a
    /// last request that runs into its time-out, and a margin for a busy host.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.warm_up + self.measure + 2 * self.timeout + Duration::from_secs(20)
    }
}

impl Count {
    fn arguments(&self) -> Vec<String> {
        let mut line = vec!["--count".into(), self.each.to_string(), "--once".into()];
        let sessions = self.sessions.iter();
        line.extend(sessions.flat_map(|path| ["--sessions".into(), path.display().to_string()]));
        line
    }
}

impl Schedule {
    fn arguments(&self) -> Vec<String> {
        let Self { rate, arrivals, seed } = self;
        let mut line = vec!["--rate".into(), rate.to_string(), "--seed".into(), seed.to_string()];
        line.extend(arrivals.iter().flat_map(|law| ["--arrivals".into(), law.to_string()]));
        line
    }
}

/// What a server counted over its whole life: system calls by kind, and clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Clients accepted.
    pub accepted: u64,
    /// Clients turned away because a limit was reached.
    pub refused: u64,
    /// Of those, the ones that no thread could be made for.
    pub refused_no_thread: u64,
    /// Of those, the ones whose thread vm.max_map_count leaves no room for.
    pub refused_no_mappings: u64,
    /// Of those, the ones with a descriptor that the model does not hold (FD_SETSIZE).
    pub refused_number: u64,
    /// Of those, the ones that the kernel did not take for what is waited for.
    pub refused_no_watch: u64,
    /// Accepts that found no room for a descriptor; the client waits.
    pub accepts_without_room: u64,
    /// The error of the last thread that could not be made (errno(3)).
    pub spawn_errno: Option<i32>,
    /// Descriptor tables; 0 when the server does not say.
    pub tables: u64,
    /// Requests answered.
    pub answered: u64,
    /// Calls that waits were made of: select, poll, `epoll_wait`, and what a library adds to them.
    pub wait_calls: u64,
    /// Calls that read.
    pub reads: u64,
    /// Calls that write.
    pub writes: u64,
    /// Calls that change what is waited for: `epoll_ctl`.
    pub controls: u64,
    /// Calls that accept.
    pub accepts: u64,
    /// Of those that read, write and accept, the requests to a ring: no system calls of their own.
    pub ring_requests: u64,
}

impl Counters {
    /// All counted system calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        let all = self.wait_calls + self.reads + self.writes + self.controls + self.accepts;
        all.saturating_sub(self.ring_requests)
    }
}

/// What a server left at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// What it counted, where it keeps counters.
    pub counters: Option<Counters>,
    /// What each of its backends did, if it is a proxy.
    pub backends: Vec<Backend>,
}

/// What a backend did over its whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// Requests that it answered.
    pub answered: u64,
    /// Connections that were made to it.
    pub accepted: u64,
    /// CPU time that it used.
    pub cpu_ns: u64,
}

/// Starts servers, and load against them.
pub trait Launcher {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// When it does not start; the text says what it printed.
    fn serve(&mut self, plan: &ServerPlan) -> Result<Box<dyn Server>>;

    /// Runs the load to its end and returns what the load generator printed: a summary as JSON.
    ///
    /// # Errors
    /// When it does not end, or ends with a failure.
    fn load(&mut self, plan: &LoadPlan, server: &dyn Server) -> Result<String>;

    /// The CPU time of each process and of the host in each second of the last load, if its plan
    /// asked for that.
    fn samples(&mut self) -> Vec<Sample> {
        Vec::new()
    }
}

/// A server that runs. When it is dropped, its process is gone.
pub trait Server {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Its process.
    fn pid(&self) -> u32;

    /// The processes behind it, if it is a proxy.
    fn backends(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Lets it finish its work, and hands over what it counted. What is behind it ends after it.
    ///
    /// # Errors
    /// When it, or what is behind it, had died before, or does not end with status 0.
    fn stop(self: Box<Self>) -> Result<Left>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(app: App, size: Option<u64>) -> LoadPlan {
        let [warm_up, measure, timeout] = [300, 2_000, 5_000].map(Duration::from_millis);
        let closed = LoadPlan::closed(app, 8, warm_up, measure);
        LoadPlan { idle: 2, size, reconnect_every: Some(1), timeout, ..closed }
    }

    #[test]
    fn the_command_line_says_everything_that_the_plan_says() {
        let address = "127.0.0.1:7000".parse().unwrap();
        let line = plan(App::Echo, Some(64)).arguments(address, 42).join(" ");
        let expected = "--target tcp://127.0.0.1:7000 --connections 8 --idle 2 --size 64 \
            --reconnect-every 1 --warm-up 300ms --duration 2000ms --timeout 5000ms --watch 42 \
            --format json --progress none";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_count_takes_the_place_of_the_times_and_nobody_is_replaced() {
        let address = "127.0.0.1:7000".parse().unwrap();
        let count = Some(Count { each: 100, sessions: Some("a b.csv".into()) });
        let message = Some("hello you".into());
        let plan = LoadPlan { count, message, idle: 0, ..plan(App::Echo, None) };
        let line = plan.arguments(address, 42);
        let said = line.join(" ");
        assert!(said.ends_with("--count 100 --once --sessions a b.csv"), "{said}");
        assert!(line.contains(&"hello you".to_owned()) && line.contains(&"a b.csv".to_owned()));
        assert!(!said.contains("--warm-up") && !said.contains("--duration"), "{said}");
    }

    #[test]
    fn an_open_loop_has_a_rate_a_law_and_a_seed() {
        let address = "127.0.0.1:7000".parse().unwrap();
        let arrivals = serde_json::from_str("\"poisson\"").unwrap();
        let schedule = Some(Schedule { rate: 2_000, arrivals, seed: 3 });
        let plan = LoadPlan { schedule, threads: Some(2), stamps: true, ..plan(App::Http, None) };
        let line = plan.arguments(address, 42).join(" ");
        let end = "--threads 2 --rate 2000 --seed 3 --arrivals poisson --stamps";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn a_size_becomes_a_path_under_http() {
        let address = "127.0.0.1:7000".parse().unwrap();
        assert_eq!(plan(App::Http, None).target(address), "http://127.0.0.1:7000/");
        assert_eq!(plan(App::Http, Some(9)).target(address), "http://127.0.0.1:7000/bytes/9");
    }
}
