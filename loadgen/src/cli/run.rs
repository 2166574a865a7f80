//! The command line, and the plan it asks for.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::agent::AgentArguments;
use super::load::LoadArguments;
use super::parse_duration;
use super::work::WorkArguments;

use crate::agent::Seat;
use crate::failure::Failure;
use crate::limits;
use crate::plan::{Coalesce, Lost, Patience, Plan, Stop};
use crate::progress::Style;
use crate::search::Objective;
use crate::target::Target;

/// How long a run measures if nothing else is said.
const DURATION: Duration = Duration::from_secs(10);

/// How long it warms up before, unless the number of requests decides.
const WARM_UP: Duration = Duration::from_secs(1);

/// A run.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// What to put under load: tcp://HOST:PORT or http://HOST:PORT/PATH
    #[arg(value_name = "TARGET", required_unless_present = "target_option")]
    target: Option<Target>,
    /// The same, as an option
    #[arg(long = "target", value_name = "TARGET", conflicts_with = "target", hide = true)]
    target_option: Option<Target>,
    /// Connections that send requests
    #[arg(short, long, value_name = "N", default_value_t = 10)]
    connections: usize,
    /// Threads, each with an equal share of the connections (default: 1, or as many as the limit on
    /// descriptors makes necessary, each with a table of its own)
    #[arg(short, long, value_name = "T")]
    threads: Option<usize>,
    /// How long to measure (default 10s)
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "count")]
    duration: Option<Duration>,
    /// Requests of each connection, in place of a duration; nothing is warmed up then
    #[arg(long, value_name = "N", conflicts_with = "warm_up")]
    count: Option<NonZeroU64>,
    /// With --count: keep all connections open for this long after the last answer
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    #[arg(requires = "count")]
    hold: Duration,
    /// How long to put the server under load before measuring (default 1s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    warm_up: Option<Duration>,
    #[command(flatten)]
    load: LoadArguments,
    #[command(flatten)]
    agent: AgentArguments,
    #[command(flatten)]
    work: WorkArguments,
    /// The same as --message-size; with --rank or --start-at, how many agents there are
    #[arg(long, value_name = "N")]
    size: Option<usize>,
    /// Silent connections beside the active ones
    #[arg(long, value_name = "N", default_value_t = 0)]
    idle: usize,
    /// Take a new connection after every N requests
    #[arg(long, value_name = "N")]
    reconnect_every: Option<NonZeroU64>,
    /// Leave out a client whose connection ends before its time, in place of giving it a new one
    #[arg(long, conflicts_with = "reconnect_every")]
    once: bool,
    /// How long to wait for an answer; a connection that has had none yet waits for this long
    /// after the last answer to any other one, since the server may not have come to it yet
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    timeout: Duration,
    /// How long to wait for a connection
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    connect_timeout: Duration,
    /// CPUs to pin the threads to, in turn: 1 or 0,2-3
    #[arg(long, value_name = "LIST", value_parser = parse_cpus)]
    cpus: Option<Cpus>,
    /// A process, the server as a rule, whose use of CPU and memory is taken while measuring
    #[arg(long, value_name = "PID")]
    watch: Option<i32>,
    /// Compare with what the server counts, as JSON with a number `answered`:
    /// http://HOST:PORT/stats
    #[arg(long, value_name = "URL")]
    server_stats: Option<Target>,
    /// Ask the kernel when each request left and when its reply came: where the time goes
    #[arg(long)]
    stamps: bool,
    /// Let replies gather before a wait, for 1/32 of the mean latency and 50 µs at most
    #[arg(long, value_enum, default_value = "auto")]
    coalesce: OnOff,
    /// Also write the results as files into this folder, which must not have any yet
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// With --out: also write down every request, in requests.log
    #[arg(long, requires = "out")]
    pub log: bool,
    /// Write down what each connection did, as the table `client data - N.csv` of --out, into a new
    /// file
    #[arg(long, value_name = "FILE")]
    pub sessions: Option<PathBuf>,
    /// Search for the highest rate that holds an objective: 'p99<5ms', 'p99.9<20ms,errors<0.1%'
    #[arg(long, value_name = "OBJECTIVE", conflicts_with_all = ["count", "closed", "think", "rate", "out", "sessions"])]
    pub find_rate: Option<Objective>,
    /// Exit with status 3 if the verdict on the run is SUSPECT, with 4 if it is INVALID
    #[arg(long)]
    pub strict: bool,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Progress on standard error
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: Style,
}

pub(super) const AFTER_HELP: &str = "\
Times are given as 10s, 500ms, 250us, 1.5s or 2m.
Exit status: 0 there is a result; 1 it failed, as when no connection could be made; 2 wrong usage; \
3 it does not settle the matter: interrupted, agents that deviate, --strict and SUSPECT; 4 this host \
can't do it, or --strict and INVALID.";

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Text,
    /// One JSON object for programs.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnOff {
    Auto,
    Off,
}

#[derive(Clone, Debug)]
struct Cpus(Vec<usize>);

impl RunArguments {
    /// The plan they ask for.
    ///
    /// # Errors
    /// [`Failure::Usage`] if they contradict each other.
    pub fn plan(&self, command: Vec<String>) -> Result<Plan, Failure> {
        self.check()?;
        let stop = match self.count {
            Some(count) => Stop::Each(count),
            None => Stop::After(self.duration.unwrap_or(DURATION)),
        };
        let warm_up = self.warm_up.unwrap_or_else(|| self.usual_warm_up());
        let length = self.duration.unwrap_or(DURATION);
        let load = match self.find_rate {
            Some(_) => self.load.load_to_search(warm_up, length),
            None => self.load.load(warm_up, length)?,
        };
        let (target, seat) = (self.target()?.clone(), self.seat()?);
        let (threads, tables) = limits::threads_for(self.connections + self.idle, self.threads);
        Ok(Plan {
            command,
            work: self.work.work(&target, self.octets(), seat.rank)?,
            target,
            load,
            connections: self.connections,
            idle: self.idle,
            threads,
            tables,
            cpus: self.cpus.clone().map_or_else(Vec::new, |cpus| cpus.0),
            warm_up,
            stop,
            reconnect_every: self.reconnect_every,
            lost: if self.once { Lost::LeftOut } else { Lost::Replaced },
            seat,
            start_at: self.agent.start_at(),
            trust: self.agent.trust(),
            seed: self.load.seed,
            hold: self.hold,
            stamps: self.stamps,
            server_stats: self.server_stats.clone(),
            depth: usize::from(self.load.pipeline),
            spin: self.load.spin,
            patience: Patience { answer: self.timeout, connect: self.connect_timeout },
            coalesce: match self.coalesce {
                OnOff::Auto => Coalesce::Auto,
                OnOff::Off => Coalesce::Off,
            },
            watch: self.watch,
        })
    }

    fn usual_warm_up(&self) -> Duration {
        if self.count.is_some() { Duration::ZERO } else { WARM_UP }
    }

    fn target(&self) -> Result<&Target, Failure> {
        let given = self.target.as_ref().or(self.target_option.as_ref());
        given.ok_or_else(|| Failure::Usage("a target is needed: http://HOST:PORT/".to_owned()))
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |text: &str| Err(Failure::Usage(text.to_owned()));
        if self.connections == 0 || self.connections.saturating_add(self.idle) > u32::MAX as usize {
            return wrong("--connections must be at least 1, and with --idle below 2^32");
        }
        if self.threads.is_some_and(|threads| threads == 0 || threads > self.connections) {
            return wrong("--threads must be at least 1 and at most --connections");
        }
        if self.duration.is_some_and(|duration| duration.is_zero()) {
            return wrong("--duration must be longer than nothing");
        }
        if self.count.is_some() && self.load.is_open() {
            return wrong("--rate needs a --duration, not a --count");
        }
        if self.stamps && self.load.pipeline > 1 {
            return wrong(
                "--stamps needs a --pipeline of 1: which stamp belongs to which request?",
            );
        }
        if self.work.request_ids && self.load.pipeline > 1 {
            return wrong("--request-ids needs a --pipeline of 1: there is one id at a time");
        }
        if self.load.pipeline == 0 {
            return wrong("--pipeline must be at least 1");
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return wrong("--timeout and --connect-timeout must be longer than nothing");
        }
        Ok(())
    }

    fn seat(&self) -> Result<Seat, Failure> {
        let size = self.size.filter(|_| self.agent.are_given());
        self.agent.seat(size.map(|size| u32::try_from(size).unwrap_or(u32::MAX)))
    }

    /// Octets of a message, if their number is given.
    fn octets(&self) -> Option<usize> {
        self.work.message_size.or_else(|| self.size.filter(|_| !self.agent.are_given()))
    }
}

fn parse_cpus(text: &str) -> Result<Cpus, String> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < 65_536 => cpus.extend(first..=last),
            _ => return Err(format!("{part:?} is not a CPU or a range of them, such as 0,2-3")),
        }
    }
    Ok(Cpus(cpus))
}

/// The plan of a command line, for tests.
#[cfg(test)]
pub(crate) fn plan_of(line: &str) -> Result<Plan, String> {
    use clap::Parser;

    let words = std::iter::once("loadgen").chain(line.split_whitespace());
    let line = super::CommandLine::try_parse_from(words).map_err(|error| error.to_string())?;
    line.run.plan(Vec::new()).map_err(|failure| failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_of_cpus() {
        assert_eq!(parse_cpus("0,2-4").expect("a list").0, [0, 2, 3, 4]);
        for text in ["", "a", "3-1", "1,", "0-99999999"] {
            assert!(parse_cpus(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_is_not_warmed_up() {
        let plan = plan_of("--target tcp://127.0.0.1:7 --connections 1 --count 5").expect("a plan");
        assert_eq!(
            (plan.warm_up, plan.stop),
            (Duration::ZERO, Stop::Each(NonZeroU64::MIN.saturating_add(4)))
        );
        let plan = plan_of("--target tcp://127.0.0.1:7 --connections 1").expect("a plan");
        assert_eq!((plan.warm_up, plan.stop), (WARM_UP, Stop::After(DURATION)));
    }

    #[test]
    fn contradictions_are_named() {
        for (line, hint) in [
            ("tcp://127.0.0.1:7 --connections 0", "--connections"),
            ("tcp://127.0.0.1:7 --connections 1 --idle 18446744073709551615", "--idle"),
            ("tcp://127.0.0.1:7 --connections 1 --threads 2", "--threads"),
            ("tcp://127.0.0.1:7 --connections 1 --count 3 --duration 1s", "--duration"),
            ("tcp://127.0.0.1:7 --connections 1 --count 3 --warm-up 1s", "--warm-up"),
            ("http://127.0.0.1:7 --connections 1 --timeout 0s", "--timeout"),
        ] {
            let error = plan_of(&format!("--target {line}")).expect_err(line);
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
