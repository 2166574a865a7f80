//! The command line, and the attack it asks for.

use std::time::Duration;

use super::manner::{Again, Manner, Mode, Pace, Then};
use super::polite::Kind;
use super::script::{Part, Script, Share};
use crate::cli::{Format, parse_duration};
use crate::failure::Failure;
use crate::target::Target;

/// How long after its end a connection is made again, unless a rate says so.
const PAUSE: Duration = Duration::from_millis(100);

/// The usual time between two octets.
const INTERVAL: Duration = Duration::from_secs(1);

/// The usual receive buffer of a slow reader. The kernel takes its own minimum if that is more
/// (tcp(7)).
const RECEIVE_BUFFER: usize = 2048;

/// The usual resets a second.
const RATE: f64 = 1000.0;

/// The command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// In a box, so that the other commands don't carry so much with them.
    #[command(flatten)]
    options: Box<Options>,
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// What to attack: tcp://HOST:PORT (echo) or http://HOST:PORT/PATH
    #[arg(value_name = "TARGET")]
    target: Target,
    /// How to misbehave
    #[arg(long, value_enum)]
    mode: Mode,
    /// Hostile connections at a time
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    connections: usize,
    /// How long to misbehave
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    duration: Duration,
    /// Slow reader and sender: the time between two octets (default 1s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    interval: Option<Duration>,
    /// Slow reader: octets of the receive buffer (default 2048)
    #[arg(long, value_name = "OCTETS")]
    receive_buffer: Option<usize>,
    /// Slow sender: the part of an HTTP request that never ends (default head)
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Half open and reset storm: how much of a request to send (default half)
    #[arg(long, value_enum)]
    send: Option<Share>,
    /// Half open: what follows (default silence)
    #[arg(long, value_enum)]
    then: Option<Then>,
    /// Reset storm: connections a second (default 1000)
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    rate: Option<f64>,
    /// How long the polite clients are alone before
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    before: Duration,
    /// How long they are alone after
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    after: Duration,
    /// Polite clients that keep their connection
    #[arg(long, value_name = "N", default_value_t = 2)]
    regulars: u16,
    /// Polite clients that take a new connection for each request
    #[arg(long, value_name = "N", default_value_t = 1)]
    newcomers: u16,
    /// The time between two requests of a polite client
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10ms")]
    every: Duration,
    /// How long a polite client waits for an answer, from when its request was due
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1s")]
    timeout: Duration,
    /// The server's process, whose memory and CPU time are taken
    #[arg(long, value_name = "PID")]
    watch: Option<i32>,
    /// The form of the result on standard output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) mode: Mode,
    pub(super) manner: Manner,
    pub(super) connections: usize,
    pub(super) before: Duration,
    pub(super) duration: Duration,
    pub(super) after: Duration,
    pub(super) regulars: u16,
    pub(super) newcomers: u16,
    pub(super) every: Duration,
    pub(super) patience: Duration,
    pub(super) watch: Option<i32>,
}

impl Plan {
    /// The polite clients.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        let regulars = (0..self.regulars).map(|_| Kind::Regular);
        regulars.chain((0..self.newcomers).map(|_| Kind::Newcomer))
    }
}

impl Arguments {
    /// The attack they ask for.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        self.options.plan()
    }

    /// The form of the result.
    pub(super) fn format(&self) -> Format {
        self.options.format
    }
}

impl Options {
    fn plan(&self) -> Result<Plan, Failure> {
        self.check_options()?;
        self.check_values()?;
        Ok(Plan {
            target: self.target.clone(),
            mode: self.mode,
            manner: self.manner(),
            connections: self.connections,
            before: self.before,
            duration: self.duration,
            after: self.after,
            regulars: self.regulars,
            newcomers: self.newcomers,
            every: self.every,
            patience: self.timeout,
            watch: self.watch,
        })
    }

    fn manner(&self) -> Manner {
        let drip = Pace::Drip(self.interval.unwrap_or(INTERVAL));
        let share = || Script::share(&self.target, self.send.unwrap_or(Share::Half));
        let usual = |script| Manner {
            script,
            sends: Pace::AtOnce,
            reads: Pace::AtOnce,
            then: Then::Silence,
            receive_buffer: None,
            again: Again::After(PAUSE),
        };
        match self.mode {
            Mode::SlowReader => Manner {
                reads: drip,
                receive_buffer: Some(self.receive_buffer.unwrap_or(RECEIVE_BUFFER)),
                ..usual(Script::endless(&self.target))
            },
            Mode::SlowSender => {
                let script = Script::unfinished(&self.target, self.part.unwrap_or(Part::Head));
                Manner { sends: drip, ..usual(script) }
            }
            Mode::HalfOpen => Manner { then: self.then.unwrap_or(Then::Silence), ..usual(share()) },
            Mode::ResetStorm => {
                let period = self.connections as f64 / self.rate.unwrap_or(RATE);
                let again = Again::Each(Duration::from_secs_f64(period));
                Manner { then: Then::Reset, again, ..usual(share()) }
            }
        }
    }

    /// An option that the mode has no use for would be obeyed in silence otherwise.
    fn check_options(&self) -> Result<(), Failure> {
        use Mode::{HalfOpen, ResetStorm, SlowReader, SlowSender};
        let options: [(&str, bool, &[Mode]); 6] = [
            ("--interval", self.interval.is_some(), &[SlowReader, SlowSender]),
            ("--receive-buffer", self.receive_buffer.is_some(), &[SlowReader]),
            ("--part", self.part.is_some(), &[SlowSender]),
            ("--send", self.send.is_some(), &[HalfOpen, ResetStorm]),
            ("--then", self.then.is_some(), &[HalfOpen]),
            ("--rate", self.rate.is_some(), &[ResetStorm]),
        ];
        let idle = options.iter().find(|(_, given, modes)| *given && !modes.contains(&self.mode));
        idle.map_or(Ok(()), |(name, _, modes)| {
            let modes: Vec<_> = modes.iter().map(|mode| mode.name()).collect();
            let (mode, modes) = (self.mode.name(), modes.join(" and "));
            Err(Failure::Usage(format!("{name} has no use with --mode {mode}, only with {modes}")))
        })
    }

    fn check_values(&self) -> Result<(), Failure> {
        let wrong = |text: &str| Err(Failure::Usage(text.to_owned()));
        if self.connections == 0 || self.connections > 1 << 24 {
            return wrong("--connections must be from 1 to 16777216");
        }
        let interval = self.interval.unwrap_or(INTERVAL);
        if [self.duration, self.every, self.timeout, interval].contains(&Duration::ZERO) {
            return wrong(
                "--duration, --every, --timeout and --interval must be more than nothing",
            );
        }
        if self.receive_buffer.is_some_and(|octets| octets == 0 || octets > 1 << 30) {
            return wrong("--receive-buffer must be from 1 to 1073741824 octets");
        }
        Ok(())
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    let possible = (0.001..=1e6).contains(&rate);
    possible.then_some(rate).ok_or_else(|| "a rate is from 0.001 to 1000000 a second".to_owned())
}

/// The plan of a command line, for tests.
#[cfg(test)]
pub(super) fn plan_of(line: &str) -> Result<Plan, String> {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }
    let words = std::iter::once("hostile").chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    line.arguments.plan().map_err(|failure| failure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_its_habits() {
        let plan = |mode: &str| plan_of(&format!("tcp://127.0.0.1:7 --mode {mode}"));
        let habits = |mode| {
            let manner = plan(mode).expect("a plan").manner;
            (manner.sends, manner.reads, manner.then)
        };
        let second = Pace::Drip(Duration::from_secs(1));
        assert_eq!(habits("slow-reader"), (Pace::AtOnce, second, Then::Silence));
        assert_eq!(habits("slow-sender"), (second, Pace::AtOnce, Then::Silence));
        assert_eq!(habits("half-open"), (Pace::AtOnce, Pace::AtOnce, Then::Silence));
        assert_eq!(habits("reset-storm"), (Pace::AtOnce, Pace::AtOnce, Then::Reset));
    }

    #[test]
    fn the_connections_of_a_storm_share_its_rate() {
        let plan = plan_of("tcp://127.0.0.1:7 --mode reset-storm -c 50 --rate 200");
        let again = plan.expect("a plan").manner.again;
        assert_eq!(again, Again::Each(Duration::from_millis(250)));
    }

    #[test]
    fn contradictions_are_named() {
        for (line, hint) in [
            ("--mode half-open --rate 5", "only with reset-storm"),
            ("--mode slow-sender --receive-buffer 5", "only with slow-reader"),
            ("--mode reset-storm --interval 5s", "slow-reader and slow-sender"),
            ("--mode reset-storm --rate 0", "a rate"),
            ("--mode reset-storm --rate nan", "a rate"),
            ("--mode half-open --connections 0", "--connections"),
            ("--mode half-open --every 0s", "--every"),
            ("--mode slow-reader --receive-buffer 0", "--receive-buffer"),
            ("--mode nonsense", "slow-reader"),
        ] {
            let error = plan_of(&format!("tcp://127.0.0.1:7 {line}")).expect_err(line);
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
