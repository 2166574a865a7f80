//! The numbers of one thread. They are merged when the run is over, so recording needs no lock.

use hdrhistogram::Histogram;

use crate::report::{Calls, Errors, Requests};

/// Longer times than this are recorded as this: one hour, in nanoseconds.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Significant decimal digits of a recorded time: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// Times, as an HdrHistogram from 1 ns to one hour (some 270 KiB, whatever is recorded).
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("the bounds are in order"))
    }
}

impl Times {
    /// Adds one. Never allocates and never fails: what is too long counts as the longest.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        // What was never written to needs no memory, and should not begin to.
        if !self.0.is_empty() {
            self.0.reset();
        }
    }

    /// The histogram itself, to be read.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// What is counted, apart from times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Requests, each in exactly one class.
    pub requests: Requests,
    /// Errors by class.
    pub errors: Errors,
    /// Octets handed to the kernel.
    pub octets_sent: u64,
    /// Octets taken from the kernel.
    pub octets_received: u64,
    /// Connections made in place of ones that had ended.
    pub reconnects: u64,
    /// System calls of the load generator itself.
    pub calls: Calls,
}

/// All times of a measuring phase, and everything else.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// Response times: from when a request was to be sent to the end of its reply.
    pub latency: Times,
    /// Service times: from when it was sent. Only in an open loop.
    pub service: Times,
    /// From when it was to be sent, and a connection was free, to when it was sent.
    pub lag: Times,
    /// From when it was to be sent to when a connection was free, of those that had to wait.
    pub queue: Times,
    /// From connect(2) to an established connection, over the whole run.
    pub connect: Times,
    /// Everything else.
    pub counts: Counts,
}

/// What one thread records in a second of the measuring phase.
///
/// A thread fills one, hands it over at the end of the second, and goes on with an empty one. So
/// nothing is recorded twice, and reading needs no lock.
#[derive(Clone, Debug, Default)]
pub struct Interval {
    /// Response times.
    pub latency: Times,
    /// Service times.
    pub service: Times,
    /// Lateness of sends.
    pub lag: Times,
    /// Waits for a connection.
    pub queue: Times,
    /// Requests that were lost.
    pub failed: u64,
}

impl Interval {
    /// Adds what another thread recorded in the same second.
    pub fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.queue.merge(&other.queue);
        self.failed += other.failed;
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.latency.reset();
        self.service.reset();
        self.lag.reset();
        self.queue.reset();
        self.failed = 0;
    }
}

impl Recorder {
    /// Adds the times of a second.
    pub fn add(&mut self, interval: &Interval) {
        self.latency.merge(&interval.latency);
        self.service.merge(&interval.service);
        self.lag.merge(&interval.lag);
        self.queue.merge(&interval.queue);
    }
}

impl Counts {
    /// Adds all that another thread counted.
    pub fn merge(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.errors.merge(&other.errors);
        self.calls.merge(&other.calls);
        self.octets_sent += other.octets_sent;
        self.octets_received += other.octets_received;
        self.reconnects += other.reconnects;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_from_a_nanosecond_to_an_hour() {
        for exact in [1, 999, 123_456, 59_999_999_999, 3_000_000_000_000] {
            let mut times = Times::default();
            times.record(exact);
            let found = times.histogram().max();
            assert!(found.abs_diff(exact) <= exact / 1000, "{exact} came back as {found}");
        }
    }

    #[test]
    fn what_is_too_long_is_still_counted() {
        let mut times = Times::default();
        times.record(u64::MAX);
        assert_eq!(times.histogram().len(), 1);
    }

    #[test]
    fn merging_gives_what_one_thread_would_have_found() {
        let (mut left, mut right, mut both) =
            (Interval::default(), Interval::default(), Interval::default());
        for nanos in 1..1000 {
            if nanos % 3 == 0 { &mut left } else { &mut right }.latency.record(nanos * 7919);
            both.latency.record(nanos * 7919);
        }
        left.merge(&right);
        assert_eq!(left.latency.histogram(), both.latency.histogram());
        left.reset();
        assert!(left.latency.histogram().is_empty());
    }
}
