//! A short pause before a wait, so that one wait fetches several replies.
//!
//! A generator that is faster than the server finds one reply per wait and so pays three system
//! calls a request where two and a fraction would do. After a small batch it may therefore spin for
//! a moment. Two bounds keep that honest:
//!
//! - At most 1/32 of the mean latency, so no reply is seen more than 3 % of the mean too late.
//! - At most 50 µs, whatever the latency.
//!
//! A saturated closed loop does not even see that: with N connections and a server that gives X
//! answers a second, the mean latency is N / X (Little's law), wherever the requests wait.
//!
//! A server that is not saturated but waits for *us* would see it: one that serves a client to its
//! end before it turns to the next stands still while we pause. So only requests whose connection
//! has had an answer before are waited for; those of starved or brand-new connections don't count.
//! And while a single request is out, there is no pause.

use std::hint;

use crate::clock::Moment;
use crate::plan::Coalesce;

/// A batch of this size shares the cost of its wait well enough: 1/16 of a call for each.
const ENOUGH: usize = 16;

/// The largest part of the mean latency that a pause may take.
const PART: u64 = 32;

/// The longest pause in nanoseconds.
const LONGEST_NS: u64 = 50_000;

/// Weight of a new latency in the running mean: 1/2^6.
const WEIGHT: u32 = 6;

/// The running mean of the latency and what follows from it.
#[derive(Debug)]
pub(crate) struct Gather {
    coalesce: Coalesce,
    mean_ns: u64,
}

impl Gather {
    pub(crate) fn new(coalesce: Coalesce) -> Self {
        Self { coalesce, mean_ns: 0 }
    }

    /// Takes note of a latency.
    #[inline]
    pub(crate) fn note(&mut self, latency_ns: u64) {
        let mean = self.mean_ns - (self.mean_ns >> WEIGHT);
        self.mean_ns = mean + (latency_ns.min(u64::MAX / 2) >> WEIGHT);
    }

    /// Pauses, if that can help: the last batch was small and more answers than that are expected.
    /// Says for how many nanoseconds.
    pub(crate) fn pause(&self, batch: usize, expected: u64, now: Moment) -> u64 {
        let until = self.pause_ns(batch, expected);
        if until > 0 {
            while Moment::now().nanos_since(now) < until {
                hint::spin_loop();
            }
        }
        until
    }

    fn pause_ns(&self, batch: usize, expected: u64) -> u64 {
        let small = batch > 0 && batch < ENOUGH && expected > batch as u64;
        match self.coalesce {
            Coalesce::Auto if small => (self.mean_ns / PART).min(LONGEST_NS),
            Coalesce::Auto | Coalesce::Off => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(coalesce: Coalesce, latency_ns: u64) -> Gather {
        let mut gather = Gather::new(coalesce);
        (0..1000).for_each(|_| gather.note(latency_ns));
        gather
    }

    #[test]
    fn is_a_32nd_of_the_mean_and_at_most_50_microseconds() {
        let pause = settled(Coalesce::Auto, 320_000).pause_ns(1, 64);
        assert!((9_800..=10_000).contains(&pause), "{pause}");
        assert_eq!(settled(Coalesce::Auto, u64::MAX).pause_ns(1, 64), LONGEST_NS);
    }

    #[test]
    fn is_left_out_where_it_does_not_help() {
        let gather = settled(Coalesce::Auto, 320_000);
        assert_eq!(gather.pause_ns(0, 64), 0);
        assert_eq!(gather.pause_ns(1, 1), 0);
        assert_eq!(gather.pause_ns(ENOUGH, 64), 0);
        assert_eq!(settled(Coalesce::Off, 320_000).pause_ns(1, 64), 0);
    }
}
