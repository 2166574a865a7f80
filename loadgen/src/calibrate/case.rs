//! What is measured: a server with a known answer under a known load.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

use super::QUANTILES;
use super::comparison::{Expectation, Reference, Statistic, rows};
use super::discipline::{Discipline, Freeze};
use super::finding::{Finding, Waiting, complaints, lag};
use super::host::Placement;
use super::lateness::Lateness;
use super::lindley::Sample;
use super::md1::Md1;
use super::process::Ruler;
use super::representative;
use super::ruler::MESSAGE;
use crate::cli::CommandLine;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::progress::{Progress, Style};
use crate::recorder::Recorder;
use crate::report::Summary;
use crate::run::measure;
use crate::schedule::{Pattern, Schedule};

/// What a server takes for a request. Long enough for 1 % of it to be more than a wake-up takes,
/// also that of a virtual CPU which has been halted (60 to 90 µs on the host of the reference
/// runs), and short enough for thousands of requests a minute through a single queue.
const SERVICE: Duration = Duration::from_millis(10);

/// Time under load before measuring.
const LEAD: Duration = Duration::from_millis(500);

/// Enough connections that no request has to wait for one.
const CONNECTIONS: usize = 128;

/// The utilisations of the queue, and how long each is measured at least. The busier it is, the
/// longer it takes to see a representative sample.
const UTILISATIONS: [(f64, Duration); 3] = [
    (0.3, Duration::from_secs(14)),
    (0.6, Duration::from_secs(12)),
    (0.9, Duration::from_secs(28)),
];

/// How thorough a calibration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Extent {
    /// Under two minutes, held against the closed forms.
    Full,
    /// Under 20 seconds. That is too short for a sample of a busy queue to look like its
    /// distribution, so it is held against the exact answer to its schedule.
    Quick,
}

/// A server and a load.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    name: String,
    discipline: Discipline,
    load: Load,
    connections: usize,
    waiting: Waiting,
    /// How many requests are to be answered, where that is known.
    planned: Option<u64>,
    expectations: Vec<Expectation>,
}

#[derive(Clone, Debug)]
enum Load {
    Open(Schedule),
    Closed(Duration),
}

impl Load {
    /// From when it begins to when measuring ends.
    fn length(&self) -> Duration {
        match self {
            Self::Open(schedule) => schedule.lead + schedule.length,
            Self::Closed(length) => LEAD + *length,
        }
    }
}

/// All cases, in the order in which they are measured.
///
/// # Errors
/// If no representative schedule is found, which doesn't depend on the host.
pub(crate) fn all(extent: Extent) -> Result<Vec<Case>, Failure> {
    let mut cases = vec![closed(extent), fixed(extent)];
    for (utilisation, length) in UTILISATIONS {
        cases.push(queue(extent, utilisation, length)?);
    }
    cases.push(frozen());
    Ok(cases)
}

/// One connection that asks again as soon as it has its answer.
fn closed(extent: Extent) -> Case {
    let service = SERVICE.as_nanos() as f64;
    let expect = |quantile| Expectation {
        statistic: Statistic::Quantile(quantile),
        analytic_ns: service,
        exact_ns: service,
        reference: Reference::Analytic,
    };
    Case {
        name: "fixed delay, closed loop".to_owned(),
        discipline: Discipline::Fixed(SERVICE),
        load: Load::Closed(extent.of(Duration::from_secs(5))),
        connections: 1,
        waiting: Waiting::Never,
        planned: None,
        expectations: QUANTILES.map(expect).to_vec(),
    }
}

fn fixed(extent: Extent) -> Case {
    let length = extent.of(Duration::from_secs(5));
    // Gaps that are no multiple of the delay: no request comes while a reply is being sent.
    let schedule = schedule(Pattern::Constant, 160.0, length);
    let analytic = |_| SERVICE.as_nanos() as f64;
    open(
        "fixed delay".to_owned(),
        Discipline::Fixed(SERVICE),
        schedule,
        analytic,
        Reference::Analytic,
    )
}

fn queue(extent: Extent, utilisation: f64, length: Duration) -> Result<Case, Failure> {
    let (queue, discipline) = (Md1::new(utilisation, SERVICE), Discipline::Queue(SERVICE));
    let schedule = schedule(Pattern::Poisson, queue.rate(), extent.of(length));
    let (schedule, reference) = match extent {
        Extent::Quick => (schedule, Reference::Schedule),
        Extent::Full => {
            let chosen = representative::choose(&queue, discipline, &schedule);
            (chosen.ok_or_else(not_representative)?, Reference::Analytic)
        }
    };
    let analytic = |quantile| queue.response_ns(quantile);
    Ok(open(format!("M/D/1 at {utilisation}"), discipline, schedule, analytic, reference))
}

fn not_representative() -> Failure {
    Failure::Failed("no seed gives a representative schedule; please report this".to_owned())
}

/// A second of standstill in five, seen by one connection that was to ask 100 times a second. The
/// standstill begins a millisecond before a request, so no jitter can move one across its edge.
fn frozen() -> Case {
    let service = Duration::from_millis(1);
    let (from, length) = (Duration::from_millis(1999), Duration::from_secs(1));
    let period = Duration::from_secs(5);
    let discipline = Discipline::Frozen(service, Freeze { from, length, period });
    let schedule = Schedule { lead: Duration::ZERO, ..schedule(Pattern::Constant, 100.0, period) };
    let sample = Sample::of(discipline, &schedule);
    Case {
        name: "frozen for 1 s of 5 s".to_owned(),
        discipline,
        load: Load::Open(schedule),
        connections: 1,
        waiting: Waiting::Meant,
        planned: Some(sample.len() as u64),
        expectations: vec![Expectation {
            statistic: Statistic::Mean,
            analytic_ns: sample.mean(),
            exact_ns: sample.mean(),
            reference: Reference::Analytic,
        }],
    }
}

fn open(
    name: String,
    discipline: Discipline,
    schedule: Schedule,
    analytic: impl Fn(f64) -> f64,
    reference: Reference,
) -> Case {
    let sample = Sample::of(discipline, &schedule);
    let expect = |quantile| Expectation {
        statistic: Statistic::Quantile(quantile),
        analytic_ns: analytic(quantile),
        exact_ns: sample.quantile(quantile) as f64,
        reference,
    };
    let expectations = QUANTILES.map(expect).to_vec();
    Case {
        name,
        discipline,
        load: Load::Open(schedule),
        connections: CONNECTIONS,
        waiting: Waiting::Never,
        planned: Some(sample.len() as u64),
        expectations,
    }
}

fn schedule(pattern: Pattern, rate: f64, length: Duration) -> Schedule {
    Schedule { pattern, rate, seed: 1, lead: LEAD, length }
}

impl Extent {
    /// How long something is measured that takes that long in full.
    fn of(self, length: Duration) -> Duration {
        match self {
            Self::Full => length,
            Self::Quick => length.min(Duration::from_secs(2)),
        }
    }
}

impl Case {
    /// Starts the server, measures it, and ends it.
    ///
    /// # Errors
    /// If the server can't be started or the load generator can't do its part.
    pub(crate) fn measure(&self, placement: Placement, spin: Duration) -> Result<Finding, Failure> {
        let (generator, server) = match placement {
            Placement::Apart { generator, server } => (Some(generator), Some(server)),
            Placement::Together => (None, None),
        };
        self.announce();
        let mut ruler = Ruler::start(self.discipline, server)?;
        let mut words = self.words(ruler.address()?, spin);
        words.extend(generator.map(|cpu| format!("--cpus={cpu}")));
        let (summary, found) = measure(&plan(words)?, &mut Progress::new(Style::Auto))?;
        Ok(self.finding(ruler.end()?, summary, &found.recorder))
    }

    /// Says what comes, and how long it takes, to somebody who waits at a terminal.
    fn announce(&self) {
        if io::stderr().is_terminal() {
            eprintln!("{}: {:.0} s", self.name, self.load.length().as_secs_f64());
        }
    }

    fn finding(&self, late: Lateness, summary: Summary, recorder: &Recorder) -> Finding {
        let (lag_p50_ns, lag_p99_ns) = lag(&recorder.lag);
        Finding {
            case: self.name.clone(),
            server: self.discipline.to_string(),
            answered: recorder.latency.histogram().len(),
            lag_p50_ns,
            lag_p99_ns,
            rows: rows(&self.expectations, &recorder.latency),
            complaints: complaints(self.planned, self.waiting, late, &summary),
            server_late: late,
            command: summary.command,
            verdict: summary.verdict,
        }
    }

    /// The command line of the run: what a user would type.
    fn words(&self, server: SocketAddr, spin: Duration) -> Vec<String> {
        let target = format!("tcp://{server}");
        let connections = format!("--connections={}", self.connections);
        let size = format!("--size={}", MESSAGE);
        let mut words = vec!["loadgen".to_owned(), target, connections, size];
        words.extend(match &self.load {
            Load::Closed(length) => vec![
                "--closed".to_owned(),
                format!("--warm-up={LEAD:?}"),
                format!("--duration={length:?}"),
            ],
            Load::Open(schedule) => vec![
                format!("--rate={}", schedule.rate),
                format!("--arrivals={}", schedule.pattern),
                format!("--seed={}", schedule.seed),
                format!("--warm-up={:?}", schedule.lead),
                format!("--duration={:?}", schedule.length),
            ],
        });
        words.push(format!("--spin={spin:?}"));
        words
    }
}

fn plan(words: Vec<String>) -> Result<Plan, Failure> {
    let line = CommandLine::try_parse_from(&words);
    line.map_err(|error| Failure::Failed(format!("a command line: {error}")))?.run.plan(words)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// Looking for representative schedules takes a while.
    static FULL: LazyLock<Vec<Case>> = LazyLock::new(|| all(Extent::Full).expect("the cases"));
    static QUICK: LazyLock<Vec<Case>> = LazyLock::new(|| all(Extent::Quick).expect("the cases"));

    #[test]
    fn every_schedule_can_be_found_and_all_together_take_as_long_as_promised() {
        for (cases, most) in [(&*FULL, 110.0), (&*QUICK, 18.0)] {
            let seconds: f64 = cases.iter().map(|case| case.load.length().as_secs_f64()).sum();
            assert!(cases.len() == 6 && seconds < most, "{seconds}");
        }
    }

    #[test]
    fn the_frozen_server_is_the_one_that_raises_the_mean_to_113_milliseconds() {
        let case = frozen();
        assert!((case.expectations[0].analytic_ns / 1e6 - 112.9).abs() < 0.3);
        assert_eq!((case.planned, case.connections), (Some(500), 1));
    }

    #[test]
    fn a_short_calibration_is_not_held_against_the_closed_form_of_a_queue() {
        let references = |cases: &[Case]| {
            cases.iter().map(|case| case.expectations[0].reference).collect::<Vec<_>>()
        };
        assert!(references(&FULL).iter().all(|one| *one == Reference::Analytic));
        assert_eq!(references(&QUICK)[2..5], [Reference::Schedule; 3]);
    }

    #[test]
    fn a_run_is_asked_for_as_a_user_would() {
        let server = SocketAddr::from(([127, 0, 0, 1], 7000));
        let plan = plan(QUICK[4].words(server, Duration::from_micros(100))).expect("a plan");
        let Load::Open(schedule) = &QUICK[4].load else { panic!("an open loop") };
        assert_eq!(plan.load, crate::plan::Load::Open(schedule.clone()));
        assert_eq!((plan.target.address, plan.connections), (server, CONNECTIONS));
        assert_eq!((plan.warm_up, plan.spin), (LEAD, Duration::from_micros(100)));
    }
}
