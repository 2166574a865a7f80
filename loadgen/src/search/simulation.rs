//! The search against servers whose answer is known.
//!
//! A server with one queue is simulated by Lindley's recursion: a request begins when it has
//! arrived and the one before is done. Both queues have response times of a known distribution, so
//! the true answer is known as well. What is random comes from fixed seeds.

use std::time::Duration;

use super::*;
use crate::schedule::{GapLaw, Lane, Schedule, SplitMix64};

/// Slices of a trial that are taken for independent, to find out how far requests are not.
const SLICES: usize = 20;

/// A server with one queue.
struct Queue {
    service: Service,
    /// No longer counts as good enough.
    bound: Duration,
    length: Duration,
    warm_up: Duration,
    seed: u64,
}

#[derive(Clone, Copy)]
enum Service {
    Exponential(f64),
    Constant(f64),
}

impl Queue {
    fn new(service: Service, bound: Duration, length: Duration, seed: u64) -> Self {
        Self { service, bound, length, warm_up: length / 4, seed: seed << 32 }
    }

    /// When each request of the measuring phase arrives, and how long it takes.
    fn serve(&mut self, rate: f64) -> Vec<(u64, f64)> {
        self.seed += 1;
        let (lead, length, seed) = (self.warm_up, self.length, self.seed);
        let pattern = crate::schedule::Pattern::Poisson;
        let schedule = Schedule { pattern, rate, seed, lead, length };
        let mut random = SplitMix64::new(!seed);
        let (begin, end) = (lead.as_nanos() as u64, (lead + length).as_nanos() as u64);
        let (mut free, mut served) = (0.0_f64, Vec::new());
        let arrivals = schedule.arrivals(Lane { index: 0, of: 1 });
        for at in arrivals.take_while(|at| *at < end) {
            let took = match self.service {
                Service::Constant(rate) => 1e9 / rate,
                Service::Exponential(rate) => {
                    GapLaw::exponential(1e9 / rate).exceeded_with(random.unit())
                }
            };
            free = free.max(at as f64) + took;
            if at >= begin {
                served.push((at - begin, free - at as f64));
            }
        }
        served
    }
}

impl Trial for Queue {
    fn run(&mut self, rate: f64) -> Result<Outcome, Failure> {
        let served = self.serve(rate);
        let bound = self.bound.as_nanos() as f64;
        let missed = served.iter().filter(|(_, took)| *took >= bound).count() as u64;
        let elapsed_ns = (self.warm_up + self.length).as_nanos() as u64;
        let effective = effective(&served, self.length);
        let (requests, pace) = (served.len() as u64, Pace::Kept);
        Ok(Outcome { requests, missed: vec![missed], effective, elapsed_ns, pace })
    }
}

/// By the method of batch means: how much less the mean response time varies from slice to slice
/// if requests are independent than it does.
fn effective(served: &[(u64, f64)], length: Duration) -> f64 {
    let mut slices = [(0.0_f64, 0.0_f64); SLICES];
    for (at, took) in served {
        let slice = &mut slices[*at as usize * SLICES / length.as_nanos() as usize];
        *slice = (slice.0 + 1.0, slice.1 + took);
    }
    let requests = served.len() as f64;
    let mean = served.iter().map(|(_, took)| took).sum::<f64>() / requests;
    let independent: f64 = served.iter().map(|(_, took)| (took - mean).powi(2)).sum();
    let found: f64 = slices.iter().map(|(all, sum)| (sum - mean * all).powi(2)).sum();
    if found > independent { requests * independent / found } else { requests }
}

/// M/M/1: response times are exponential with the rate μ − λ.
fn truth_exponential(capacity: f64, percent: f64, bound: Duration) -> f64 {
    capacity + (1.0 - percent / 100.0).ln() / bound.as_secs_f64()
}

/// M/D/1: Erlang's distribution of waiting times (1909), solved for the rate by halving.
fn truth_constant(capacity: f64, percent: f64, bound: Duration) -> f64 {
    let wait = bound.as_secs_f64() - 1.0 / capacity;
    let below = |rate: f64| {
        let (mut sum, mut factorial) = (0.0, 1.0);
        for k in 0..=(wait * capacity) as i32 {
            factorial *= f64::from(k.max(1));
            let x = rate * (f64::from(k) / capacity - wait);
            sum += x.powi(k) / factorial * (-x).exp();
        }
        (1.0 - rate / capacity) * sum
    };
    let (mut low, mut high) = (0.0, capacity);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        *if below(middle) >= percent / 100.0 { &mut low } else { &mut high } = middle;
    }
    low
}

fn search(trial: &mut impl Trial, objective: &str) -> Found {
    let objective = objective.parse().unwrap();
    seek(trial, &objective, 1000.0, &Options::default(), |_| ()).unwrap()
}

/// How far an interval is from the truth, as a share of it; 0 if it contains it.
fn distance(range: &Range, truth: f64) -> f64 {
    let Range::Between { low, high } = *range else { return f64::INFINITY };
    (low / truth - 1.0).max(1.0 - high / truth).max(0.0)
}

/// Searches with 20 seeds, by trials of that length. 19 answers have to be within 3 % of the truth,
/// and none may see a hysteresis that isn't there. Gives back the mean of the simulated time.
fn finds(queue: impl Fn(u64) -> Queue, objective: &str, truth: f64) -> Duration {
    let found: Vec<_> = (1..=20).map(|seed| search(&mut queue(seed), objective)).collect();
    let close = |range: &Range| distance(range, truth) <= 0.03;
    let up = found.iter().filter(|found| close(&found.up)).count();
    let down = found.iter().filter(|found| found.down.as_ref().is_some_and(close)).count();
    assert!(up >= 19 && down >= 19, "{up} up and {down} down of {truth}: {found:#?}");
    assert!(found.iter().all(|found| found.agreement != Agreement::Hysteresis), "{found:#?}");
    Duration::from_nanos(found.iter().map(|found| found.elapsed_ns).sum::<u64>() / 20)
}

#[test]
fn finds_the_rate_of_a_queue_with_constant_service_in_a_minute() {
    let (bound, trial) = (Duration::from_millis(3), Options::default().trial);
    let queue = |seed| Queue::new(Service::Constant(5000.0), bound, trial, seed);
    let took = finds(queue, "p99<3ms", truth_constant(5000.0, 99.0, bound));
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// Response times vary more here, and crowds of slow ones last longer: so it takes longer trials.
#[test]
fn finds_the_rate_of_a_queue_with_exponential_service_in_two() {
    let (bound, trial) = (Duration::from_millis(10), 2 * Options::default().trial);
    let queue = |seed| Queue::new(Service::Exponential(5000.0), bound, trial, seed);
    let took = finds(queue, "p99<10ms", truth_exponential(5000.0, 99.0, bound));
    assert!(took < Duration::from_secs(120), "{took:?}");
}

/// A server that answers in time up to a capacity, and not at all beyond.
fn cliff(rate: f64, capacity: f64) -> Outcome {
    let requests = rate.ceil() as u64;
    let missed = vec![if rate > capacity { requests } else { 0 }];
    let effective = requests as f64;
    Outcome { requests, missed, effective, elapsed_ns: 1_000_000_000, pace: Pace::Kept }
}

/// A trial that is a function of the rate, and may remember what was before.
struct Scripted<F>(F);

impl<F: FnMut(f64) -> Result<Outcome, Failure>> Trial for Scripted<F> {
    fn run(&mut self, rate: f64) -> Result<Outcome, Failure> {
        (self.0)(rate)
    }
}

fn searched(script: impl FnMut(f64) -> Result<Outcome, Failure>) -> Found {
    search(&mut Scripted(script), "p99<1ms")
}

fn gone() -> Failure {
    Failure::Failed("connection refused".to_owned())
}

#[test]
fn a_sharp_edge_is_found_from_both_sides() {
    let found = searched(|rate| Ok(cliff(rate, 1234.5)));
    for range in [found.up, found.down.unwrap()] {
        assert_eq!(distance(&range, 1234.5), 0.0, "{range:?}");
        assert!(range.high().unwrap() <= range.low().unwrap() * 1.03, "{range:?}");
    }
    assert_eq!(found.agreement, Agreement::Overlap);
}

#[test]
fn lost_trials_do_not_change_the_answer() {
    let mut trials = 0;
    let found = searched(|rate| {
        trials += 1;
        match trials % 7 {
            3 => Err(gone()),
            5 => Ok(Outcome { pace: Pace::GeneratorLimited, ..cliff(rate, 0.0) }),
            _ => Ok(cliff(rate, 1234.5)),
        }
    });
    assert_eq!(distance(&found.up, 1234.5), 0.0, "{found:#?}");
    assert!(found.steps.iter().any(|step| step.evidence.broken > 0));
    assert!(found.steps.iter().any(|step| step.evidence.discarded > 0));
}

#[test]
fn the_limit_of_the_generator_is_not_that_of_the_server() {
    let found = searched(|rate| {
        let pace = if rate > 50_000.0 { Pace::GeneratorLimited } else { Pace::Kept };
        Ok(Outcome { pace, ..cliff(rate, 1e9) })
    });
    let Range::AtLeast { low, because: Ceiling::Generator } = found.up else {
        panic!("{:?}", found.up)
    };
    assert!((50_000.0 / 1.03..=50_000.0).contains(&low), "{low}");
    assert_eq!((found.down, found.agreement), (None, Agreement::OneWay));
    let never = searched(|rate| Ok(Outcome { pace: Pace::GeneratorLimited, ..cliff(rate, 1e9) }));
    assert_eq!(never.up, Range::Unknown);
}

#[test]
fn the_search_stays_between_the_rates_allowed() {
    let up = searched(|rate| Ok(cliff(rate, f64::INFINITY))).up;
    assert_eq!(up, Range::AtLeast { low: 1e9, because: Ceiling::Highest });
    let found = searched(|rate| Ok(cliff(rate, 0.0)));
    assert_eq!((found.up, found.down), (Range::Below { high: 1.0 }, None));
}

#[test]
fn fewer_requests_than_planned_are_a_failure() {
    let found = searched(|rate| {
        let pace = if rate > 3000.0 { Pace::Short } else { Pace::Kept };
        Ok(Outcome { pace, ..cliff(rate, 1e9) })
    });
    assert_eq!(distance(&found.up, 3000.0), 0.0, "{found:#?}");
}

#[test]
fn an_overload_that_leaves_traces_is_hysteresis() {
    let mut tired = false;
    let found = searched(|rate| {
        let outcome = cliff(rate, if tired { 700.0 } else { 1500.0 });
        tired = rate > 1900.0 || tired && rate > 100.0;
        Ok(outcome)
    });
    // The stride to 2000 tired it, so going up shows no more than that 1000 held before.
    assert_eq!(distance(&found.up, 1000.0), 0.0, "{found:#?}");
    assert_eq!(distance(&found.down.unwrap(), 700.0), 0.0, "{found:#?}");
    assert_eq!(found.agreement, Agreement::Hysteresis);
}

#[test]
fn a_server_that_does_not_survive_is_reported_and_one_that_never_was_is_an_error() {
    let mut dead = false;
    let found = searched(|rate| {
        dead |= rate > 1900.0;
        if dead { Err(gone()) } else { Ok(cliff(rate, 1e9)) }
    });
    assert_eq!(found.down, Some(Range::Below { high: 1.0 }));
    assert_eq!(found.agreement, Agreement::Hysteresis);
    let objective = "p99<1ms".parse().unwrap();
    let mut absent = Scripted(|_| Err(gone()));
    let failure = seek(&mut absent, &objective, 100.0, &Options::default(), |_| ());
    assert_eq!(failure, Err(gone()));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let usual = Options::default();
    let wrong = [
        Options { lowest: 0.0, ..usual },
        Options { lowest: 2000.0, ..usual },
        Options { highest: 10.0, ..usual },
        Options { tolerance: f64::NAN, ..usual },
        Options { confidence: 1.0, ..usual },
        Options { looks: 0, ..usual },
    ];
    for options in wrong {
        let mut trial = Scripted(|rate| Ok(cliff(rate, 100.0)));
        let found = seek(&mut trial, &"p99<1ms".parse().unwrap(), 1000.0, &options, |_| ());
        assert!(matches!(found, Err(Failure::Usage(_))), "{options:?}");
    }
}
