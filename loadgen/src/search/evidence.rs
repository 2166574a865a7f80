//! What is known about one rate, and whether that is enough to judge it.
//!
//! The question is whether the share of requests that miss a condition is above its allowance. By
//! the bound of Chernoff (1952), requests of which a share *a* misses show a share as far off as
//! *s* with a probability of at most exp(−n·D), where D is the divergence of *s* from *a*. Once
//! that is below the risk that is accepted, the case is clear. Since there are several looks and
//! several conditions, each with a chance to be wrong, the risk is divided by their number
//! (Bonferroni): so to stop as soon as the case is clear is no cheating.
//!
//! What counts as n is the effective sample: slow requests come in crowds, and a crowd is one
//! event rather than a thousand.

use serde::Serialize;

use super::objective::Objective;
use super::{Certainty, Finding, Outcome, Pace};

/// All that was seen at one rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Trials that count.
    pub trials: u32,
    /// Trials that don't, since the load generator was the limit in them.
    pub discarded: u32,
    /// Trials that could not be carried out.
    pub broken: u32,
    /// Trials in which fewer requests were made than planned, although the load generator had
    /// time to.
    pub short: u32,
    /// Requests in the trials that count.
    pub requests: u64,
    /// How many independent requests would tell as much.
    pub effective: f64,
    /// For each condition of the objective: requests that missed it.
    pub missed: Vec<u64>,
    /// Run time of all these trials in nanoseconds.
    pub elapsed_ns: u64,
    /// Why the last trial that could not be carried out could not.
    pub error: Option<String>,
}

/// When a case is clear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standard {
    /// Unlikelier than this, by its logarithm with the sign changed.
    surprise: f64,
}

impl Standard {
    /// To be wrong with at most the probability `1 - confidence`, although one looks so often.
    pub(crate) fn new(confidence: f64, looks: u32, conditions: usize) -> Self {
        let risk = (1.0 - confidence) / (f64::from(looks) * conditions as f64);
        Self { surprise: -risk.ln() }
    }
}

impl Evidence {
    /// Adds a trial.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.elapsed_ns += outcome.elapsed_ns;
        if outcome.pace == Pace::GeneratorLimited {
            self.discarded += 1;
            return;
        }
        self.trials += 1;
        self.short += u32::from(outcome.pace == Pace::Short);
        self.requests += outcome.requests;
        self.effective += outcome.effective.min(outcome.requests as f64);
        self.missed.resize(outcome.missed.len(), 0);
        self.missed.iter_mut().zip(&outcome.missed).for_each(|(sum, one)| *sum += one);
    }

    /// Adds a trial that could not be carried out.
    pub(crate) fn add_broken(&mut self, error: String) {
        self.broken += 1;
        self.error = Some(error);
    }

    /// What these trials say, by the share of requests that missed each condition.
    pub(crate) fn judge(&self, objective: &Objective, standard: Standard) -> (Finding, Certainty) {
        if self.short > 0 {
            return (Finding::Fails, Certainty::Clear);
        }
        let conditions = objective.conditions().iter().zip(&self.missed);
        let judged: Vec<_> = conditions
            .map(|(condition, missed)| self.weigh(*missed, condition.allowance(), standard))
            .collect();
        // One condition that clearly fails is enough; to hold clearly, all have to.
        let clearly_fails = judged.contains(&(Finding::Fails, Certainty::Clear));
        let all_clear = judged.iter().all(|(_, certainty)| *certainty == Certainty::Clear);
        let fails = judged.iter().any(|(finding, _)| *finding == Finding::Fails);
        match (fails, clearly_fails || all_clear) {
            (true, true) => (Finding::Fails, Certainty::Clear),
            (true, false) => (Finding::Fails, Certainty::Unclear),
            (false, true) => (Finding::Holds, Certainty::Clear),
            (false, false) => (Finding::Holds, Certainty::Unclear),
        }
    }

    /// What these trials say about one condition.
    fn weigh(&self, missed: u64, allowance: f64, standard: Standard) -> (Finding, Certainty) {
        let share = self.share(missed);
        let surprise = self.effective * divergence(share, allowance);
        let finding = if share <= allowance { Finding::Holds } else { Finding::Fails };
        let certainty =
            if surprise >= standard.surprise { Certainty::Clear } else { Certainty::Unclear };
        (finding, certainty)
    }

    fn share(&self, missed: u64) -> f64 {
        missed as f64 / self.requests.max(1) as f64
    }
}

/// The divergence of Kullback and Leibler between two coins: how much a toss that shows heads with
/// probability `seen` tells against one with probability `supposed`, which is neither 0 nor 1.
fn divergence(seen: f64, supposed: f64) -> f64 {
    let part = |seen: f64, supposed: f64| {
        if seen > 0.0 { seen * (seen / supposed).ln() } else { 0.0 }
    };
    part(seen, supposed) + part(1.0 - seen, 1.0 - supposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(objective: &str, effective: f64, missed: &[u64]) -> (Finding, Certainty) {
        let (requests, missed, elapsed_ns) = (1000, missed.to_vec(), 1);
        let mut evidence = Evidence::default();
        evidence.add(&Outcome { requests, missed, effective, elapsed_ns, pace: Pace::Kept });
        evidence.judge(&objective.parse().unwrap(), Standard::new(0.99, 1, 1))
    }

    #[test]
    fn clear_cases_are_clear_and_close_ones_are_not() {
        use {Certainty::*, Finding::*};
        let cases = [
            (1000.0, 0, (Holds, Clear)),
            (1000.0, 9, (Holds, Unclear)),
            (1000.0, 11, (Fails, Unclear)),
            (1000.0, 40, (Fails, Clear)),
            (10.0, 0, (Holds, Unclear)),
            (10.0, 40, (Fails, Unclear)),
        ];
        for (effective, missed, expected) in cases {
            assert_eq!(judge("p99<1ms", effective, &[missed]), expected, "{effective} {missed}");
        }
    }

    #[test]
    fn one_failing_condition_is_enough() {
        use {Certainty::*, Finding::*};
        let cases = [
            ([0, 0], (Holds, Clear)),
            ([0, 400], (Fails, Clear)),
            ([9, 400], (Fails, Clear)),
            ([400, 9], (Fails, Clear)),
            ([9, 0], (Holds, Unclear)),
            ([0, 9], (Holds, Unclear)),
            ([11, 0], (Fails, Unclear)),
            ([0, 11], (Fails, Unclear)),
        ];
        for (missed, expected) in cases {
            assert_eq!(judge("p99<1ms,p99<2ms", 1000.0, &missed), expected, "{missed:?}");
        }
    }

    #[test]
    fn the_divergence_is_that_of_the_textbook() {
        assert_eq!(divergence(0.3, 0.3), 0.0);
        assert!((divergence(0.0, 0.5) - std::f64::consts::LN_2).abs() < 1e-15);
        assert!((divergence(0.75, 0.5) - 0.130_812_035_941_137).abs() < 1e-12);
        assert!((divergence(1.0, 0.01) - 100_f64.ln()).abs() < 1e-12);
    }

    /// How often the test is wrong on a coin that is exactly as bad as allowed.
    #[test]
    fn the_risk_is_kept_over_all_looks() {
        let mut random = crate::schedule::SplitMix64::new(3);
        let (objective, standard) = ("p90<1ms".parse().unwrap(), Standard::new(0.99, 8, 1));
        let wrong = (0..2000).filter(|_| {
            let mut evidence = Evidence::default();
            (0..8).any(|_| {
                let missed = (0..100).filter(|_| random.unit() <= 0.1).count() as u64;
                let (requests, effective, elapsed_ns) = (100, 100.0, 1);
                let (missed, pace) = (vec![missed], Pace::Kept);
                evidence.add(&Outcome { requests, missed, effective, elapsed_ns, pace });
                evidence.judge(&objective, standard).1 == Certainty::Clear
            })
        });
        let wrong = wrong.count();
        assert!((1..40).contains(&wrong), "{wrong} of 2000, on both sides together");
    }
}
