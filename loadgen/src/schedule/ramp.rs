//! A rate that changes linearly: `from` until `begin`, then on a straight line to `to`, which is
//! reached `length` later and kept.
//!
//! ```text
//!   to    ┊         ╱──────
//!         ┊       ╱
//!   from  ┊─────╱
//!         └─────┴───┴──────▶ time
//!           begin   + length
//! ```
//!
//! Request k is sent when the integral of the rate reaches k. Each of the three pieces of that
//! integral is at most a square, so it is inverted exactly and no error adds up.

use std::time::Duration;

/// The rate over time. Rates are in requests a second, times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    from: f64,
    to: f64,
    begin: f64,
    length: f64,
}

impl Ramp {
    pub(crate) fn new(from: f64, to: f64, begin: Duration, length: Duration) -> Self {
        Self { from, to, begin: begin.as_secs_f64(), length: length.as_secs_f64() }
    }

    /// When the request of that index, counted from 0, is sent, in nanoseconds.
    #[inline]
    pub(crate) fn at(&self, index: u64) -> u64 {
        (self.reaches(index as f64) * 1e9) as u64
    }

    /// The time at which the integral of the rate reaches `requests`; the last one, where it stays
    /// the same for a while because the ramp begins at 0.
    fn reaches(&self, requests: f64) -> f64 {
        let before = self.from * self.begin;
        let during = (self.from + self.to) / 2.0 * self.length;
        if requests < before {
            requests / self.from
        } else if requests - before < during {
            self.begin + self.climbs(requests - before)
        } else {
            self.begin + self.length + (requests - before - during) / self.to
        }
    }

    /// The time after the beginning of the slope at which it has given that many requests: the
    /// root of (to − from) / (2 length) · s² + from · s − requests, in the form that loses no
    /// digits when the slope is nearly flat.
    fn climbs(&self, requests: f64) -> f64 {
        let slope = (self.to - self.from) / self.length;
        let rate = (self.from * self.from + 2.0 * slope * requests).sqrt();
        if requests > 0.0 { 2.0 * requests / (self.from + rate) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The integral of the rate by the midpoint rule, independent of the closed form.
    fn integral(ramp: &Ramp, until: f64) -> f64 {
        let (pieces, mut sum) = (100_000, 0.0);
        let step = until / f64::from(pieces);
        for piece in 0..pieces {
            let share = ((f64::from(piece) + 0.5) * step - ramp.begin) / ramp.length;
            sum += (ramp.from + (ramp.to - ramp.from) * share.clamp(0.0, 1.0)) * step;
        }
        sum
    }

    #[test]
    fn requests_sent_are_the_integral_of_the_rate() {
        let second = Duration::from_secs(1);
        for (from, to) in [(100.0, 1000.0), (1000.0, 100.0), (0.0, 500.0), (300.0, 300.0)] {
            let ramp = Ramp::new(from, to, second, 4 * second);
            for until in [0.5, 1.0, 1.7, 3.0, 4.9, 5.0, 7.5] {
                let sent = (0..).take_while(|index| (ramp.at(*index) as f64) < until * 1e9).count();
                let due = integral(&ramp, until);
                assert!((sent as f64 - due).abs() <= 1.01, "{from}:{to} {until} {sent} {due}");
            }
        }
    }

    #[test]
    fn a_ramp_from_nothing_is_silent_before_it_begins() {
        let ramp = Ramp::new(0.0, 100.0, Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(ramp.at(0), 2_000_000_000);
        assert_eq!(ramp.at(50), 3_000_000_000);
    }

    #[test]
    fn a_ramp_without_length_is_a_step() {
        let ramp = Ramp::new(10.0, 100.0, Duration::from_secs(1), Duration::ZERO);
        assert_eq!([9, 10, 11].map(|index| ramp.at(index) / 1_000_000), [900, 1000, 1010]);
    }
}
