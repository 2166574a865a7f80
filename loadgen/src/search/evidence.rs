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
//! event rather than a thousand. Each trial says what its requests are worth; and since something
//! may last as long as a whole trial, such as a neighbour on the host who is at work, so does the
//! difference between trials. With a single one nothing is clear.

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
    /// How many independent requests would tell as much, as the trials say themselves.
    pub effective: f64,
    /// For each condition of the objective: requests that missed it.
    pub missed: Vec<u64>,
    /// Run time of all these trials in nanoseconds.
    pub elapsed_ns: u64,
    /// Why the last trial that could not be carried out could not.
    pub error: Option<String>,
    /// Of each trial that counts: the requests, and those that missed each condition.
    #[serde(skip)]
    pub(super) each: Vec<(u64, Vec<u64>)>,
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
        self.each.push((outcome.requests, outcome.missed.clone()));
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
        let conditions = objective.conditions().iter().enumerate();
        let judged: Vec<_> = conditions
            .map(|(which, condition)| self.weigh(which, condition.allowance(), standard))
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
    fn weigh(&self, which: usize, allowance: f64, standard: Standard) -> (Finding, Certainty) {
        let share = self.missed[which] as f64 / self.requests.max(1) as f64;
        let surprise = self.worth(which, share) * divergence(share, allowance);
        let clear = self.trials > 1 && surprise >= standard.surprise;
        let finding = if share <= allowance { Finding::Holds } else { Finding::Fails };
        (finding, if clear { Certainty::Clear } else { Certainty::Unclear })
    }

    /// How many independent requests would tell as much about one condition: no more than the
    /// trials say, and no more than explains how far they differ. (The variance of a ratio:
    /// Cochran, Sampling Techniques, 1977, section 6.3.)
    fn worth(&self, which: usize, share: f64) -> f64 {
        let square = |(requests, missed): &(u64, Vec<u64>)| {
            (missed[which] as f64 - share * *requests as f64).powi(2)
        };
        let trials = f64::from(self.trials);
        let found = self.each.iter().map(square).sum::<f64>() * trials / (trials - 1.0);
        let requests = self.requests as f64;
        let independent = requests * share * (1.0 - share);
        if found > independent {
            self.effective.min(requests * independent / found)
        } else {
            self.effective
        }
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

    fn outcome(requests: u64, missed: &[u64], effective: f64) -> Outcome {
        let (missed, elapsed_ns, pace) = (missed.to_vec(), 1, Pace::Kept);
        Outcome { requests, missed, effective, elapsed_ns, pace }
    }

    /// Judges trials of 500 requests each.
    fn judge(objective: &str, effective: f64, trials: &[&[u64]]) -> (Finding, Certainty) {
        let mut evidence = Evidence::default();
        trials.iter().for_each(|missed| evidence.add(&outcome(500, missed, effective)));
        evidence.judge(&objective.parse().unwrap(), Standard::new(0.99, 1, 1))
    }

    #[test]
    fn clear_cases_are_clear_and_close_ones_are_not() {
        use {Certainty::*, Finding::*};
        let cases = [
            (500.0, 0, (Holds, Clear)),
            (500.0, 4, (Holds, Unclear)),
            (500.0, 6, (Fails, Unclear)),
            (500.0, 20, (Fails, Clear)),
            (5.0, 0, (Holds, Unclear)),
            (5.0, 20, (Fails, Unclear)),
        ];
        for (effective, missed, expected) in cases {
            let found = judge("p99<1ms", effective, &[&[missed], &[missed]]);
            assert_eq!(found, expected, "{effective} {missed}");
        }
    }

    #[test]
    fn trials_that_differ_are_not_clear_and_neither_is_a_single_one() {
        use {Certainty::*, Finding::*};
        assert_eq!(judge("p99<1ms", 500.0, &[&[500], &[0]]), (Fails, Unclear));
        assert_eq!(judge("p99<1ms", 500.0, &[&[0], &[0], &[8]]), (Holds, Unclear));
        assert_eq!(judge("p99<1ms", 500.0, &[&[500]]), (Fails, Unclear));
        assert_eq!(judge("p99<1ms", 500.0, &[&[500], &[500]]), (Fails, Clear));
    }

    #[test]
    fn one_failing_condition_is_enough() {
        use {Certainty::*, Finding::*};
        let cases = [
            ([0, 0], (Holds, Clear)),
            ([0, 200], (Fails, Clear)),
            ([4, 200], (Fails, Clear)),
            ([200, 4], (Fails, Clear)),
            ([4, 0], (Holds, Unclear)),
            ([0, 4], (Holds, Unclear)),
            ([6, 0], (Fails, Unclear)),
            ([0, 6], (Fails, Unclear)),
        ];
        for (missed, expected) in cases {
            let found = judge("p99<1ms,p99<2ms", 500.0, &[&missed, &missed]);
            assert_eq!(found, expected, "{missed:?}");
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
                evidence.add(&outcome(100, &[missed], 100.0));
                evidence.judge(&objective, standard).1 == Certainty::Clear
            })
        });
        let wrong = wrong.count();
        assert!((1..40).contains(&wrong), "{wrong} of 2000, on both sides together");
    }
}
