//! Latencies by time: a coarse histogram for each slice of the measuring phase.

/// Coarse histograms of consecutive slices of time.
#[derive(Clone, Debug, Default)]
pub struct Slices {}

impl Slices {
    /// Slices of a phase that is `length_ns` long, if that is known beforehand.
    #[must_use]
    pub fn new(_length_ns: Option<u64>) -> Self {
        Self {}
    }

    /// Adds a latency, at that time since the phase began. Never allocates in the hot path.
    #[inline]
    pub fn record(&mut self, _at_ns: u64, _latency_ns: u64) {}

    /// Adds what another thread recorded in the same phase.
    pub fn merge(&mut self, _other: &Self) {}

    /// Forgets everything.
    pub fn reset(&mut self) {}
}
