//! What there is to see of a run at one moment.

use std::time::Duration;

/// A run at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sight {
    /// What it is doing.
    pub phase: Phase,
    /// How long it has been doing that.
    pub elapsed: Duration,
    /// How much longer it will, if time decides.
    pub left: Option<Duration>,
    /// The requests to be made in all, if their number decides.
    pub asked_requests: Option<u64>,
    /// The requests a second that a schedule asks for.
    pub asked_rate: Option<f64>,
    /// The last second.
    pub recent: Moments,
    /// Everything since this phase began.
    pub total: Moments,
    /// Requests that are due and wait for a connection, if there is a schedule.
    pub queue: Option<u64>,
    /// Connections that are open.
    pub connected: u64,
    /// Connections that there are to be.
    pub connections: u64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It makes connections.
    Connecting,
    /// It gives load without counting it.
    WarmingUp,
    /// It gives load and counts.
    #[default]
    Measuring,
    /// It waits for the last answers.
    Draining,
}

/// Requests over some time, and their latency in nanoseconds; none without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Right answers.
    pub answered: u64,
    /// Requests that had none.
    pub failed: u64,
    /// The median.
    pub p50_ns: Option<u64>,
    /// One in a hundred takes longer.
    pub p99_ns: Option<u64>,
    /// One in a thousand takes longer.
    pub p999_ns: Option<u64>,
}

impl Phase {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::WarmingUp => "warming up",
            Self::Measuring => "measuring",
            Self::Draining => "draining",
        }
    }
}

impl Sight {
    /// How much of this phase is done, from 0 to 1, if that is known.
    pub(super) fn done(&self) -> Option<f64> {
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0));
        if self.phase == Phase::Connecting {
            return share(self.connected as f64, self.connections as f64);
        }
        let elapsed = self.elapsed.as_secs_f64();
        if let Some(left) = self.left {
            return share(elapsed, elapsed + left.as_secs_f64());
        }
        let made = self.total.answered + self.total.failed;
        self.asked_requests.and_then(|asked| share(made as f64, asked as f64))
    }

    /// Answers a second since this phase began.
    pub(super) fn mean_rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.total.answered as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_counted_in_what_decides() {
        let connecting = Sight {
            phase: Phase::Connecting,
            connected: 1,
            connections: 4,
            left: Some(Duration::ZERO),
            ..Sight::default()
        };
        assert_eq!(connecting.done(), Some(0.25));
        let timed = Sight {
            elapsed: Duration::from_secs(3),
            left: Some(Duration::from_secs(1)),
            ..Sight::default()
        };
        assert_eq!(timed.done(), Some(0.75));
        let total = Moments { answered: 3, failed: 2, ..Moments::default() };
        let counted = Sight { asked_requests: Some(10), total, ..Sight::default() };
        assert_eq!(counted.done(), Some(0.5));
        assert_eq!(Sight::default().done(), None);
        assert_eq!(Sight { asked_requests: Some(0), ..Sight::default() }.done(), None);
    }
}
