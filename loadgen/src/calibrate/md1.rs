//! M/D/1: requests come at random (a Poisson process), one server takes constant time for each.
//!
//! The textbook series for the waiting time (Erlang 1909, Crommelin 1932),
//!
//! ```text
//!   P(W ≤ t) = (1 - ρ) Σ (-λ(t - iD))^i / i! · e^(λ(t - iD)),   i = 0 … ⌊t/D⌋
//! ```
//!
//! alternates its signs: at a utilisation of 0.9 and t = 50 D, terms beyond 10^20 have to cancel.
//! This here has positive terms only (Franx, "A simple solution for the M/D/c waiting time
//! distribution", Operations Research Letters 29, 2001). With kD the next multiple of D above t, in
//! the time kD a busy server finishes k requests. So one that comes kD - t after some moment waits
//! for at most t if and only if those waiting at that moment and those that came since are fewer
//! than k:
//!
//! ```text
//!   P(W ≤ t) = Σ P(at most k-1-j wait) · Poisson(j; λ(kD - t)),   j = 0 … k-1
//! ```

use std::time::Duration;

/// What is neglected: the probability that more requests wait than there are numbers for.
const NEGLECTED: f64 = 1e-13;

/// How many bisections narrow a quantile down to the last digit of a float.
const BISECTIONS: usize = 100;

/// An M/D/1 queue in its steady state.
#[derive(Clone, Debug)]
pub(crate) struct Md1 {
    utilisation: f64,
    service: Duration,
    /// The probability that at most that many requests wait, apart from the one being served.
    waiting_at_most: Vec<f64>,
}

impl Md1 {
    /// A queue whose server is busy for that part of the time, between 0 and 1.
    pub(crate) fn new(utilisation: f64, service: Duration) -> Self {
        Self { utilisation, service, waiting_at_most: waiting_at_most(utilisation) }
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.utilisation / self.service.as_secs_f64()
    }

    /// The quantile of the response time, which is the wait and the service, in nanoseconds.
    pub(crate) fn response_ns(&self, quantile: f64) -> f64 {
        (self.wait(quantile) + 1.0) * self.service.as_nanos() as f64
    }

    /// The quantile of the wait, in services. Nobody waits in a part 1 - ρ of all cases, so the
    /// lower quantiles are 0.
    fn wait(&self, quantile: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.waiting_at_most.len() as f64);
        if self.waits_at_most(low) >= quantile {
            return low;
        }
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if self.waits_at_most(middle) < quantile { low = middle } else { high = middle }
        }
        high
    }

    /// The probability that a request waits for at most that many services.
    fn waits_at_most(&self, services: f64) -> f64 {
        let next_whole = services.floor() + 1.0;
        let slots = next_whole as usize;
        let came = poisson(self.utilisation * (next_whole - services), slots);
        came.iter().enumerate().map(|(j, chance)| self.at_most(slots - 1 - j) * chance).sum()
    }

    fn at_most(&self, waiting: usize) -> f64 {
        self.waiting_at_most.get(waiting).copied().unwrap_or(1.0)
    }
}

/// The distribution of the number of waiting requests.
///
/// A server changes over from n to n + 1 requests as often as back (level crossing). With p_i the
/// probability of i requests and a the number that come during a service:
///
/// ```text
///   p_(n+1) P(a = 0) = p_0 P(a > n) + Σ p_i P(a > n + 1 - i),   i = 1 … n
/// ```
fn waiting_at_most(utilisation: f64) -> Vec<f64> {
    let most = (NEGLECTED.ln() / utilisation.ln() * 2.0).ceil() as usize + 10;
    let exactly = poisson(utilisation, most + 64);
    let more_than = tails(&exactly);
    let mut present = vec![1.0 - utilisation];
    for n in 0..most {
        let up: f64 = (1..=n).map(|i| present[i] * more_than[n + 1 - i]).sum();
        present.push((present[0] * more_than[n] + up) / exactly[0]);
    }
    let mut sum = present[0];
    let sums = present[1..].iter().map(|chance| {
        sum += chance;
        sum
    });
    sums.collect()
}

/// The first `count` probabilities of a Poisson distribution.
fn poisson(mean: f64, count: usize) -> Vec<f64> {
    let first = (-mean).exp();
    let terms = (1..count).scan(first, |term, n| {
        *term *= mean / n as f64;
        Some(*term)
    });
    std::iter::once(first).chain(terms).collect()
}

/// For each n the probability of more than n, summed up from the small end: 1 minus a sum would
/// have no digits left.
fn tails(exactly: &[f64]) -> Vec<f64> {
    let mut tails = vec![0.0; exactly.len()];
    for n in (1..exactly.len()).rev() {
        tails[n - 1] = tails[n] + exactly[n];
    }
    tails
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTILISATIONS: [f64; 3] = [0.3, 0.6, 0.9];

    fn queue(utilisation: f64) -> Md1 {
        Md1::new(utilisation, Duration::from_millis(4))
    }

    /// The series with alternating signs, which is exact enough for short waits.
    fn erlang(utilisation: f64, services: f64) -> f64 {
        let term = |i: usize| {
            let rest = utilisation * (services - i as f64);
            (1..=i).fold(rest.exp(), |product, n| product * -rest / n as f64)
        };
        (1.0 - utilisation) * (0..=services.floor() as usize).map(term).sum::<f64>()
    }

    #[test]
    fn agrees_with_the_series_of_erlang_where_that_is_exact() {
        for utilisation in UTILISATIONS {
            for tenth in 0..80 {
                let services = f64::from(tenth) / 10.0;
                let found = queue(utilisation).waits_at_most(services);
                let expected = erlang(utilisation, services);
                assert!((found - expected).abs() < 1e-11, "{utilisation} {services}: {found}");
            }
        }
    }

    /// Moments as integrals of the tail, by the midpoint rule.
    fn moments(queue: &Md1) -> (f64, f64) {
        let step = 1.0 / 64.0;
        (0..64 * 150).fold((0.0, 0.0), |(first, second), n| {
            let at = (f64::from(n) + 0.5) * step;
            let tail = (1.0 - queue.waits_at_most(at)) * step;
            (first + tail, second + 2.0 * at * tail)
        })
    }

    #[test]
    fn mean_and_second_moment_are_those_of_pollaczek_and_khinchine() {
        for utilisation in UTILISATIONS {
            let (first, second) = moments(&queue(utilisation));
            let mean = utilisation / (2.0 * (1.0 - utilisation));
            let square = 2.0 * mean * mean + utilisation / (3.0 * (1.0 - utilisation));
            assert!((first / mean - 1.0).abs() < 1e-4, "{utilisation}: {first}");
            assert!((second / square - 1.0).abs() < 1e-4, "{utilisation}: {second}");
        }
    }

    /// The exponent of the tail: ρ (e^θ - 1) = θ.
    fn decay(utilisation: f64) -> f64 {
        let (mut low, mut high) = (1e-9, 10.0);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if utilisation * f64::exp_m1(middle) < middle { low = middle } else { high = middle }
        }
        low
    }

    #[test]
    fn the_tail_decays_as_cramer_and_lundberg_say() {
        for (utilisation, tolerance) in [(0.3, 2e-3), (0.6, 1e-5), (0.9, 1e-8)] {
            let theta = decay(utilisation);
            let factor = (1.0 - utilisation) / (utilisation * theta.exp() - 1.0);
            let at = 9.3 / theta;
            let found = 1.0 - queue(utilisation).waits_at_most(at);
            let expected = factor * (-theta * at).exp();
            let off = found / expected - 1.0;
            assert!(off.abs() < tolerance, "{utilisation}: {off}");
        }
    }

    #[test]
    fn a_quantile_is_where_the_distribution_reaches_it() {
        for utilisation in UTILISATIONS {
            let queue = queue(utilisation);
            for quantile in [0.95, 0.99, 0.999] {
                let wait = queue.wait(quantile);
                assert!((queue.waits_at_most(wait) - quantile).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn nobody_waits_while_the_server_is_idle() {
        assert_eq!(queue(0.3).response_ns(0.5), 4e6);
        assert_eq!(queue(0.3).response_ns(0.7), 4e6);
        assert!(queue(0.3).response_ns(0.71) > 4e6);
        assert!((queue(0.9).rate() - 225.0).abs() < 1e-9);
    }
}
