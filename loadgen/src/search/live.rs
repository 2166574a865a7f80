//! Trials against a real server: each one is a run of its own.

use std::time::Duration;

use super::objective::{Condition, Objective};
use super::seeker::{Options, seek};
use super::{Found, Outcome, Pace, Step, Trial};
use crate::engine;
use crate::failure::Failure;
use crate::plan::{Load, Plan, Stop, Think};
use crate::progress::{Progress, Style};
use crate::recorder::{Recorder, Times};
use crate::report::Summary;
use crate::run::measure;
use crate::schedule::{Pattern, Schedule};
use crate::statistics::effective_size;

/// The first rate, as a share of what a closed loop reaches: far enough below to hold as a rule.
const FIRST: f64 = 0.25;

/// The share of a bound on response times that lateness of the load generator may take up.
const LATENESS_MOST: f64 = 0.25;

/// The share of a thread's time beyond which it has none left to be in time with.
const BUSY: f64 = 0.95;

/// Searches for the highest rate at which the objective holds, with runs like `plan`. Each step is
/// told to `watch` as it is done.
///
/// # Errors
/// [`Failure::Usage`] if the arrivals of the plan have a rate of their own; else as
/// [`measure`] and [`seek`].
pub fn run(
    plan: &Plan,
    objective: &Objective,
    options: &Options,
    watch: impl FnMut(&Step),
) -> Result<Found, Failure> {
    let start = match options.start {
        Some(start) => start,
        None => closed_loop_rate(plan, options)? * FIRST,
    };
    let start = start.clamp(options.lowest, options.highest.max(options.lowest));
    let mut live = Live { plan, objective, options, schedule: schedule(plan)?, trials: 0 };
    seek(&mut live, objective, start, options, watch)
}

/// The pattern and the seed of the plan. A closed loop has none: then as many users would arrive.
fn schedule(plan: &Plan) -> Result<Schedule, Failure> {
    let schedule = match &plan.load {
        Load::Open(schedule) => schedule.clone(),
        Load::Closed(_) => Schedule {
            pattern: Pattern::Poisson,
            rate: 1.0,
            seed: 1,
            lead: Duration::ZERO,
            length: Duration::ZERO,
        },
    };
    match schedule.pattern {
        Pattern::Ramp(_) | Pattern::Trace(_) => Err(Failure::Usage(format!(
            "a search needs arrivals whose rate it can set, such as poisson, and not {}",
            schedule.pattern
        ))),
        _ => Ok(schedule),
    }
}

/// Answers a second when each connection asks as fast as it can.
fn closed_loop_rate(plan: &Plan, options: &Options) -> Result<f64, Failure> {
    let plan = Plan { load: Load::Closed(Think::None), ..sized(plan, options) };
    whole(&plan).map(|(summary, _)| summary.rate)
}

/// The plan with the length of a trial.
fn sized(plan: &Plan, options: &Options) -> Plan {
    let (warm_up, stop) = (options.warm_up, Stop::After(options.trial));
    Plan { warm_up, stop, ..plan.clone() }
}

/// A run that was not cut short. There is no going on after an interruption: it was meant for the
/// search.
fn whole(plan: &Plan) -> Result<(Summary, engine::Found), Failure> {
    let (summary, found) = measure(plan, &mut Progress::new(Style::None))?;
    if found.interrupted {
        return Err(Failure::Inconclusive("interrupted before the search was over".to_owned()));
    }
    Ok((summary, found))
}

struct Live<'a> {
    plan: &'a Plan,
    objective: &'a Objective,
    options: &'a Options,
    schedule: Schedule,
    trials: u64,
}

impl Trial for Live<'_> {
    fn run(&mut self, rate: f64) -> Result<Outcome, Failure> {
        let plan =
            Plan { load: Load::Open(self.schedule_at(rate)), ..sized(self.plan, self.options) };
        let (_, found) = whole(&plan)?;
        if found.interrupted {
            return Err(Failure::Inconclusive("the search was interrupted".to_owned()));
        }
        let planned = rate * self.options.trial.as_secs_f64();
        let mut outcome = outcome(&found, planned, self.objective);
        outcome.elapsed_ns += u64::try_from(self.options.warm_up.as_nanos()).unwrap_or(u64::MAX);
        Ok(outcome)
    }
}

impl Live<'_> {
    /// Each trial has a seed of its own: with the same one, a second trial at a rate would only
    /// repeat the first.
    fn schedule_at(&mut self, rate: f64) -> Schedule {
        self.trials += 1;
        let seed = self.schedule.seed.wrapping_add(self.trials);
        let (lead, length) = (self.options.warm_up, self.options.trial);
        Schedule { rate, seed, lead, length, ..self.schedule.clone() }
    }
}

fn outcome(found: &engine::Found, planned: f64, objective: &Objective) -> Outcome {
    let unanswered = unanswered(&found.recorder);
    let requests = found.recorder.latency.histogram().len() + unanswered;
    let missed = |condition: &Condition| match condition.longest_ns() {
        Some(longest_ns) => slower(&found.recorder.latency, longest_ns) + unanswered,
        None => unanswered,
    };
    Outcome {
        requests,
        missed: objective.conditions().iter().map(missed).collect(),
        effective: effective(found, requests, objective),
        elapsed_ns: found.elapsed_ns,
        pace: pace(found, requests, planned, objective),
    }
}

/// Requests that were planned and have no right answer.
fn unanswered(recorder: &Recorder) -> u64 {
    let requests = &recorder.counts.requests;
    requests.failed + requests.lost + requests.unsent
}

/// How many of these times are longer, to within the 0.1 % of a histogram.
fn slower(times: &Times, longest_ns: u64) -> u64 {
    let times = times.histogram();
    times.len() - times.count_between(0, longest_ns)
}

/// How many independent requests would tell as much as these, about the condition of which they
/// tell least.
fn effective(found: &engine::Found, requests: u64, objective: &Objective) -> f64 {
    let worth = |condition: &Condition| match condition {
        Condition::Latency { percent, .. } => {
            effective_size(&found.slices, percent / 100.0, requests)
        }
        Condition::Errors { .. } => requests as f64,
    };
    objective.conditions().iter().map(worth).fold(requests as f64, f64::min)
}

fn pace(found: &engine::Found, requests: u64, planned: f64, objective: &Objective) -> Pace {
    // By chance, random arrivals are off by the root of their number; four of it never happen.
    let least = planned * 0.99 - 4.0 * planned.sqrt();
    if was_late(found, objective) {
        Pace::GeneratorLimited
    } else if (requests as f64) < least {
        Pace::Short
    } else {
        Pace::Kept
    }
}

/// Whether the load generator had no time left, or so little that its lateness alone may have
/// decided the matter.
fn was_late(found: &engine::Found, objective: &Objective) -> bool {
    let lag = found.recorder.lag.histogram();
    let spoiled = objective.conditions().iter().any(|condition| match condition {
        Condition::Latency { percent, bound, .. } => {
            let lateness = lag.value_at_quantile(percent / 100.0) as f64;
            lateness > LATENESS_MOST * bound.as_nanos() as f64
        }
        Condition::Errors { .. } => false,
    });
    let busy = |cpu_ns: u64| cpu_ns as f64 > BUSY * found.elapsed_ns as f64;
    spoiled || found.threads.iter().any(|thread| busy(thread.cpu_ns.saturating_sub(thread.spun_ns)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::cli::plan_of;
    use crate::search::{Agreement, Ceiling, Finding, Range};

    /// A server that does with each piece what it is told to, and ends with the test.
    fn server(answer: fn(&[u8]) -> &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut piece = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut piece) {
                        let _ = stream.write_all(answer(&piece[..length]));
                    }
                });
            }
        });
        format!("tcp://{address}")
    }

    fn search(target: &str, objective: &str, lowest: f64, highest: f64) -> Result<Found, Failure> {
        let plan = plan_of(&format!("{target} -c 4 --timeout 100ms")).unwrap();
        let trial = Duration::from_millis(250);
        let usual = Options::default();
        let options = Options { lowest, highest, trial, warm_up: trial / 5, looks: 2, ..usual };
        let options = Options { start: Some(highest / 2.0), ..options };
        run(&plan, &objective.parse().unwrap(), &options, |_| ())
    }

    #[test]
    fn a_server_that_answers_holds_the_highest_rate() {
        let found = search(&server(|piece| piece), "p50<5s,errors<90%", 10.0, 200.0).unwrap();
        assert_eq!(found.up, Range::AtLeast { low: 200.0, because: Ceiling::Highest }, "{found:?}");
        let requests: u64 = found.steps.iter().map(|step| step.evidence.requests).sum();
        assert!(requests > 25, "{found:?}");
    }

    #[test]
    fn a_server_that_keeps_silent_fails_at_every_rate() {
        let found = search(&server(|_| &[]), "p50<5s", 50.0, 200.0).unwrap();
        assert_eq!((found.up, found.agreement), (Range::Below { high: 50.0 }, Agreement::OneWay));
        let misses = |step: &Step| step.evidence.missed == [step.evidence.requests];
        assert!(found.steps.iter().all(|step| step.finding == Finding::Fails && misses(step)));
    }

    #[test]
    fn arrivals_with_a_rate_of_their_own_are_refused() {
        let plan = plan_of("tcp://127.0.0.1:1 -R 10 --arrivals ramp:5").unwrap();
        let options = Options { start: Some(10.0), ..Options::default() };
        let found = run(&plan, &"p99<1ms".parse().unwrap(), &options, |_| ());
        assert!(matches!(found, Err(Failure::Usage(_))), "{found:?}");
    }

    #[test]
    fn each_trial_has_arrivals_of_its_own() {
        let (plan, objective) = (plan_of("tcp://127.0.0.1:1").unwrap(), "p99<1ms".parse().unwrap());
        let (options, schedule) = (Options::default(), schedule(&plan).unwrap());
        let (plan, objective, options) = (&plan, &objective, &options);
        let mut live = Live { plan, objective, options, schedule, trials: 0 };
        let (first, second) = (live.schedule_at(100.0), live.schedule_at(100.0));
        assert_ne!(first.seed, second.seed);
        assert_eq!(Schedule { seed: first.seed, ..second }, first);
    }
}
