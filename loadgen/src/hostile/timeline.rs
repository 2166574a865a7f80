//! When the attack begins and ends, and what a moment therefore belongs to.

use std::time::Duration;

use crate::clock::Moment;

/// The edges of the phases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    pub(super) start: Moment,
    pub(super) begin: Moment,
    pub(super) end: Moment,
    pub(super) stop: Moment,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Before,
    During,
    After,
}

impl Timeline {
    /// From now on.
    pub(super) fn new(before: Duration, during: Duration, after: Duration) -> Self {
        let start = Moment::now();
        let begin = start.after(before);
        let end = begin.after(during);
        Self { start, begin, end, stop: end.after(after) }
    }

    /// The phase of a moment.
    pub(super) fn phase(&self, moment: Moment) -> Phase {
        if moment < self.begin {
            Phase::Before
        } else if moment < self.end {
            Phase::During
        } else {
            Phase::After
        }
    }
}

/// Sleeps until then; not at all if that has gone by.
pub(super) fn sleep_until(moment: Moment) {
    std::thread::sleep(Duration::from_nanos(moment.nanos_since(Moment::now())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_what_follows_it() {
        let second = Duration::from_secs(1);
        let timeline = Timeline::new(second, second, second);
        assert_eq!(timeline.phase(timeline.start), Phase::Before);
        assert_eq!(timeline.phase(timeline.begin), Phase::During);
        assert_eq!(timeline.phase(timeline.end), Phase::After);
        assert_eq!(timeline.stop.nanos_since(timeline.start), 3_000_000_000);
    }
}
