//! The numbers of one thread. They are merged when the run is over, so recording needs no lock.

use hdrhistogram::Histogram;

use crate::fault::Fault;
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
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.0.reset();
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

/// What one thread records.
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

impl Recorder {
    /// Begins anew, with `outstanding` requests already out, and gives back what was counted. The
    /// times of connecting stay.
    pub fn restart(&mut self, outstanding: u64) -> Counts {
        self.latency.reset();
        self.service.reset();
        self.lag.reset();
        self.queue.reset();
        let mut fresh = Counts::default();
        fresh.requests.sent = outstanding;
        std::mem::replace(&mut self.counts, fresh)
    }

    /// A request was answered.
    #[inline]
    pub fn answered(&mut self, latency_ns: u64) {
        self.counts.requests.answered += 1;
        self.latency.record(latency_ns);
    }

    /// A request was lost.
    pub fn failed(&mut self, fault: Fault) {
        self.counts.requests.failed += 1;
        fault.count(&mut self.counts.errors);
    }

    /// Adds all that another thread recorded.
    pub fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.lag.merge(&other.lag);
        self.queue.merge(&other.queue);
        self.connect.merge(&other.connect);
        self.counts.merge(&other.counts);
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
    fn a_restart_keeps_the_requests_that_are_out() {
        let mut recorder = Recorder::default();
        recorder.connect.record(5);
        recorder.answered(10);
        recorder.failed(Fault::Closed);
        let before = recorder.restart(3);
        assert_eq!((before.requests.answered, before.errors.closed), (1, 1));
        assert_eq!(recorder.counts.requests, Requests { sent: 3, ..Requests::default() });
        let lengths = (recorder.latency.histogram().len(), recorder.connect.histogram().len());
        assert_eq!(lengths, (0, 1));
    }

    #[test]
    fn merging_gives_what_one_thread_would_have_found() {
        let (mut left, mut right, mut both) =
            (Recorder::default(), Recorder::default(), Recorder::default());
        for nanos in 1..1000 {
            if nanos % 3 == 0 { &mut left } else { &mut right }.answered(nanos * 7919);
            both.answered(nanos * 7919);
        }
        left.merge(&right);
        assert_eq!(left.latency.histogram(), both.latency.histogram());
        assert_eq!(left.counts.requests, both.counts.requests);
    }
}
