//! The search itself: strides until the answer lies between two rates, then halves.

use std::time::Duration;

use super::answer::{Agreement, Ceiling, Direction, Found, Range, Step};
use super::evidence::{Evidence, Standard};
use super::objective::Objective;
use super::{Certainty, Finding, Trial};
use crate::failure::Failure;

/// How much higher than any failing rate an overload is.
const OVERLOAD: f64 = 1.3;

/// Trials at one rate that may be lost, because the load generator was late or the server could not
/// be reached, before that is the finding.
const LOSSES_MOST: u32 = 3;

/// How to search. Rates are in requests a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The first rate; without one, it is derived from a closed loop.
    pub start: Option<f64>,
    /// No lower rate is tried.
    pub lowest: f64,
    /// No higher rate is tried.
    pub highest: f64,
    /// The ratio of the ends of an interval, less 1, that is narrow enough.
    pub tolerance: f64,
    /// The probability with which a clear step has to be right.
    pub confidence: f64,
    /// Trials at one rate, after which it is decided as it stands. Two are needed for a clear case.
    pub looks: u32,
    /// The length of a real trial.
    pub trial: Duration,
    /// The load before a real trial, which is not counted.
    pub warm_up: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (trial, warm_up) = (Duration::from_secs(1), Duration::from_millis(250));
        let (start, lowest, highest) = (None, 1.0, 1e9);
        Self { start, lowest, highest, tolerance: 0.03, confidence: 0.99, looks: 5, trial, warm_up }
    }
}

/// Searches from `start`, and tells `watch` each step as it is done.
///
/// # Errors
/// If the options contradict each other, if the very first trial fails, or a later one in a way
/// that is not the server's fault.
pub fn seek(
    trial: &mut impl Trial,
    objective: &Objective,
    start: f64,
    options: &Options,
    watch: impl FnMut(&Step),
) -> Result<Found, Failure> {
    options.check(start)?;
    let standard = Standard::new(options.confidence, options.looks, objective.conditions().len());
    let (steps, elapsed_ns) = (Vec::new(), 0);
    let mut seeker = Seeker { trial, objective, options, standard, steps, elapsed_ns, watch };
    let up = seeker.search(start, Stride::DOUBLE, Way::Up)?;
    let down = seeker.come_down(&up)?;
    Ok(Found {
        objective: objective.to_string(),
        confidence: options.confidence,
        tolerance: options.tolerance,
        agreement: Agreement::of(&up, down.as_ref(), &seeker.steps),
        up,
        down,
        steps: seeker.steps,
        elapsed_ns: seeker.elapsed_ns,
    })
}

impl Options {
    fn check(&self, start: f64) -> Result<(), Failure> {
        let wrong = |text: &str| Err(Failure::Usage(text.to_owned()));
        if !(self.lowest > 0.0 && self.lowest <= start && start <= self.highest) {
            return wrong("a search needs 0 < lowest rate <= first rate <= highest rate");
        }
        if !(0.001..=1.0).contains(&self.tolerance) {
            return wrong("the tolerance of a search is between 0.001 and 1");
        }
        if !(0.5..1.0).contains(&self.confidence) {
            return wrong("the confidence of a search is at least 0.5 and below 1");
        }
        if self.looks == 0 || self.trial.is_zero() {
            return wrong("a search needs trials at each rate, longer than nothing");
        }
        Ok(())
    }
}

/// How a search moves on until it has an upper and a lower end.
#[derive(Clone, Copy, Debug)]
struct Stride {
    /// The ratio of the next rate to this one.
    ratio: f64,
    /// By which power the ratio grows each time.
    growth: f64,
}

impl Stride {
    /// For a search that knows nothing yet.
    const DOUBLE: Self = Self { ratio: 2.0, growth: 1.0 };

    /// For one that expects the answer nearby.
    fn nearby(tolerance: f64) -> Self {
        Self { ratio: 1.0 + tolerance, growth: 2.0 }
    }

    fn advance(&mut self) -> f64 {
        let ratio = self.ratio;
        self.ratio = ratio.powf(self.growth);
        ratio
    }
}

/// How a rate is reached.
#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    /// After an overload with this rate.
    Down(f64),
}

/// The highest rate at which the objective holds, and the lowest above it at which it doesn't.
#[derive(Clone, Copy, Debug, Default)]
struct Bracket {
    low: Option<f64>,
    high: Option<(f64, Finding)>,
}

impl Bracket {
    fn put(&mut self, rate: f64, finding: Finding) {
        match finding {
            Finding::Holds => self.low = Some(rate),
            Finding::Fails | Finding::GeneratorLimited => self.high = Some((rate, finding)),
        }
    }

    /// The rate in the middle, as ratios go, if the ends are further apart than the tolerance.
    fn middle(&self, tolerance: f64) -> Option<f64> {
        let (low, (high, _)) = self.low.zip(self.high)?;
        (high > low * (1.0 + tolerance)).then(|| (low * high).sqrt())
    }

    fn range(&self) -> Range {
        match (self.low, self.high) {
            (Some(low), Some((high, Finding::Fails))) => Range::Between { low, high },
            (Some(low), Some(_)) => Range::AtLeast { low, because: Ceiling::Generator },
            (Some(low), None) => Range::AtLeast { low, because: Ceiling::Highest },
            (None, Some((high, Finding::Fails))) => Range::Below { high },
            (None, _) => Range::Unknown,
        }
    }
}

struct Seeker<'a, T, W> {
    trial: &'a mut T,
    objective: &'a Objective,
    options: &'a Options,
    standard: Standard,
    steps: Vec<Step>,
    elapsed_ns: u64,
    watch: W,
}

impl<T: Trial, W: FnMut(&Step)> Seeker<'_, T, W> {
    /// Looks near the upper end of the way up first: without hysteresis the answer is there.
    fn come_down(&mut self, up: &Range) -> Result<Option<Range>, Failure> {
        let failing = self.steps.iter().filter(|step| step.finding == Finding::Fails);
        let worst = failing.map(|step| step.rate).reduce(f64::max);
        let (Range::Between { high, .. }, Some(worst)) = (*up, worst) else { return Ok(None) };
        let overload = (OVERLOAD * worst).min(self.options.highest);
        let stride = Stride::nearby(self.options.tolerance);
        self.search(high, stride, Way::Down(overload)).map(Some)
    }

    fn search(&mut self, start: f64, mut stride: Stride, way: Way) -> Result<Range, Failure> {
        let Options { lowest, highest, tolerance, .. } = *self.options;
        let (mut bracket, mut rate) = (Bracket::default(), start);
        loop {
            bracket.put(rate, self.step(rate, way)?);
            rate = match (bracket.low, bracket.high) {
                (Some(low), None) if low < highest => (low * stride.advance()).min(highest),
                (None, Some((high, _))) if high > lowest => (high / stride.advance()).max(lowest),
                _ => break,
            };
        }
        while let Some(middle) = bracket.middle(tolerance) {
            bracket.put(middle, self.step(middle, way)?);
        }
        Ok(bracket.range())
    }

    /// Judges one rate.
    fn step(&mut self, rate: f64, way: Way) -> Result<Finding, Failure> {
        let direction = match way {
            Way::Up => Direction::Up,
            Way::Down(overload) => {
                self.overload(overload)?;
                Direction::Down
            }
        };
        let (evidence, (finding, certainty)) = self.examine(rate)?;
        let step = Step { direction, rate, finding, certainty, evidence };
        (self.watch)(&step);
        self.steps.push(step);
        Ok(finding)
    }

    /// What comes of it doesn't matter, not even whether the server can be reached.
    fn overload(&mut self, rate: f64) -> Result<(), Failure> {
        match self.trial.run(rate) {
            Ok(outcome) => self.elapsed_ns += outcome.elapsed_ns,
            Err(Failure::Failed(_)) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Makes trials until the case is clear, or there have been enough of them.
    fn examine(&mut self, rate: f64) -> Result<(Evidence, (Finding, Certainty)), Failure> {
        let mut evidence = Evidence::default();
        let judged = loop {
            self.attempt(rate, &mut evidence)?;
            if evidence.broken == LOSSES_MOST {
                break (Finding::Fails, Certainty::Clear);
            }
            if evidence.discarded == LOSSES_MOST {
                break (Finding::GeneratorLimited, Certainty::Clear);
            }
            if evidence.trials == 0 {
                continue;
            }
            let judged = evidence.judge(self.objective, self.standard);
            if judged.1 == Certainty::Clear || evidence.trials >= self.options.looks {
                break judged;
            }
        };
        self.elapsed_ns += evidence.elapsed_ns;
        Ok((evidence, judged))
    }

    /// Makes a trial. One that fails is evidence against the rate, unless it is the very first: a
    /// server that was never there can't be overloaded.
    fn attempt(&mut self, rate: f64, evidence: &mut Evidence) -> Result<(), Failure> {
        match self.trial.run(rate) {
            Ok(outcome) => evidence.add(&outcome),
            Err(Failure::Failed(error)) if !self.steps.is_empty() => evidence.add_broken(error),
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}
