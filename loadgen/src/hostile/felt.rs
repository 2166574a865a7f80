//! What polite clients felt in one phase.

use hdrhistogram::Histogram;

use super::tally::ages;
use crate::fault::Fault;
use crate::report::Errors;

/// Requests that were due in a phase, and what became of them.
#[derive(Clone, Debug)]
pub(super) struct Felt {
    /// Nanoseconds from when a request was due to its right answer.
    pub(super) answered: Histogram<u64>,
    pub(super) errors: Errors,
    /// Given up before they were sent: the client was still waiting for an earlier one.
    pub(super) unsent: u64,
}

impl Felt {
    pub(super) fn new() -> Self {
        Self { answered: ages(), errors: Errors::default(), unsent: 0 }
    }

    /// Takes what became of a request, and how long after it was due.
    pub(super) fn record(&mut self, outcome: Result<(), Fault>, nanos: u64) {
        match outcome {
            Ok(()) => self.answered.saturating_record(nanos),
            Err(fault) => fault.count(&mut self.errors),
        }
    }

    /// Adds what another client felt.
    pub(super) fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so everything fits.
        let _ = self.answered.add(&other.answered);
        self.errors.merge(&other.errors);
        self.unsent += other.unsent;
    }

    /// Requests that were due.
    pub(super) fn due(&self) -> u64 {
        self.answered.len() + self.errors.total() + self.unsent
    }

    /// The latency that this share (0 to 1) of all requests stayed within, where one without an
    /// answer is slower than any other; none if it is one of those.
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        let rank = (share * self.due() as f64).ceil().max(1.0);
        let answered = self.answered.len() as f64;
        (rank <= answered).then(|| self.answered.value_at_quantile((rank / answered).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_an_answer_is_slower_than_any_other() {
        let mut felt = Felt::new();
        (1..=50).for_each(|nanos| felt.record(Ok(()), nanos));
        assert_eq!((felt.quantile(0.5), felt.quantile(1.0)), (Some(25), Some(50)));
        (0..49).for_each(|_| felt.record(Err(Fault::Timeout), 1));
        felt.unsent = 1;
        assert_eq!(felt.due(), 100);
        assert_eq!((felt.quantile(0.25), felt.quantile(0.5)), (Some(25), Some(50)));
        assert_eq!(felt.quantile(0.51), None);
        assert_eq!(Felt::new().quantile(0.5), None);
    }

    #[test]
    fn several_clients_add_up() {
        let (mut one, mut other) = (Felt::new(), Felt::new());
        one.record(Ok(()), 10);
        other.record(Ok(()), 30);
        other.record(Err(Fault::Reset), 1);
        one.merge(&other);
        assert_eq!((one.due(), one.errors.reset, one.answered.max()), (3, 1, 30));
    }
}
