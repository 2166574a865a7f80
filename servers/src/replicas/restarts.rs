//! When to start again what has ended.
//!
//! The first time at once: a replica that was killed shall be back before anyone notices. Then
//! after a pause that doubles, for what ends again right away will do so once more, and others need
//! the CPU. After too many starts in a short time it counts as *failed*: it is tried again only
//! once every longest pause, until it has served for a while: then all is forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How starts follow one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The first pause; the next one is twice as long.
    pub(crate) pause: Duration,
    /// The longest.
    pub(crate) pause_max: Duration,
    /// So many starts are too many
    pub(crate) starts_max: usize,
    /// within that time.
    pub(crate) within: Duration,
    /// Who has served that long is well.
    pub(crate) well_after: Duration,
}

/// What to do with a replica that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Start it again after that.
    Again(Duration),
    /// It has failed: say so, and try again after that.
    Failed(Duration),
}

impl Next {
    pub(crate) const fn pause(self) -> Duration {
        match self {
            Self::Again(pause) | Self::Failed(pause) => pause,
        }
    }
}

/// The starts of one replica.
#[derive(Debug)]
pub(crate) struct Restarts {
    pace: Pace,
    /// The latest ones, the oldest first.
    starts: VecDeque<Instant>,
    /// Restarts since it was well.
    again: u32,
    /// Whether it has failed since it was well.
    failed: bool,
}

impl Restarts {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, starts: VecDeque::new(), again: 0, failed: false }
    }

    /// It has been started.
    pub(crate) fn started(&mut self, now: Instant) {
        if !self.failed {
            self.starts.push_back(now);
        }
    }

    /// It has ended at `now` after it had `served`, perhaps not at all. `jitter`, from 0 to 1,
    /// makes the pause shorter by up to a half, so that replicas that ended together do not start
    /// together.
    pub(crate) fn ended(&mut self, served: Duration, now: Instant, jitter: f64) -> Next {
        if !served.is_zero() && served >= self.pace.well_after {
            *self = Self::new(self.pace);
        }
        if self.failed {
            return Next::Again(self.pace.pause_max);
        }
        let within = self.pace.within;
        self.starts.retain(|start| now.duration_since(*start) < within);
        let pause = self.pause().mul_f64(1.0 - jitter / 2.0);
        self.again += 1;
        if self.starts.len() < self.pace.starts_max {
            return Next::Again(pause);
        }
        self.failed = true;
        Next::Failed(self.pace.pause_max)
    }

    fn pause(&self) -> Duration {
        // The first restart is at once.
        let Some(doublings) = self.again.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.pace.pause.saturating_mul(factor).min(self.pace.pause_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PACE: Pace = Pace {
        pause: Duration::from_millis(100),
        pause_max: Duration::from_secs(30),
        starts_max: 5,
        within: Duration::from_secs(10),
        well_after: Duration::from_secs(60),
    };

    /// Starts and ends again and again, each time after that; says what follows each end.
    fn life(pace: Pace, served: Duration, times: usize) -> Vec<Next> {
        let (mut restarts, mut now) = (Restarts::new(pace), Instant::now());
        let mut live = || {
            restarts.started(now);
            now += served + MS;
            let next = restarts.ended(served, now, 0.0);
            now += next.pause();
            next
        };
        (0..times).map(|_| live()).collect()
    }

    #[test]
    fn the_first_restart_is_at_once_and_pauses_double() {
        let pauses = life(PACE, Duration::ZERO, 5);
        let again = [0, 100, 200, 400].map(|pause| Next::Again(pause * MS));
        assert_eq!(pauses[..4], again);
        assert_eq!(pauses[4], Next::Failed(PACE.pause_max), "five starts in ten seconds");
    }

    #[test]
    fn who_has_failed_is_tried_again_after_the_longest_pause_only() {
        let (mut restarts, start) = (Restarts::new(PACE), Instant::now());
        let (mut now, mut starts) = (start, 0);
        while now - start < Duration::from_secs(600) {
            restarts.started(now);
            starts += 1;
            now += MS + restarts.ended(Duration::ZERO, now + MS, 1.0).pause();
        }
        assert_eq!(starts, 5 + 19, "five within a second, and one each half minute after that");
    }

    #[test]
    fn pauses_stop_growing() {
        let pace = Pace { starts_max: usize::MAX, ..PACE };
        let pauses = life(pace, Duration::ZERO, 200);
        assert_eq!(pauses.last(), Some(&Next::Again(PACE.pause_max)));
    }

    #[test]
    fn all_is_forgotten_after_a_while_in_service() {
        let pauses = life(PACE, PACE.well_after, 100);
        assert!(pauses.iter().all(|next| *next == Next::Again(Duration::ZERO)));
        let pauses = life(PACE, PACE.well_after - MS, 3);
        assert_eq!(pauses[2], Next::Again(200 * MS), "but not before");
        let (mut restarts, now) = (Restarts::new(Pace { starts_max: 1, ..PACE }), Instant::now());
        restarts.started(now);
        assert_eq!(restarts.ended(Duration::ZERO, now, 0.0), Next::Failed(PACE.pause_max));
        assert_eq!(restarts.ended(PACE.well_after, now, 0.0), Next::Again(Duration::ZERO));
    }

    #[test]
    fn jitter_makes_a_pause_shorter_but_no_less_than_half() {
        let mut restarts = Restarts::new(PACE);
        let now = Instant::now();
        restarts.ended(Duration::ZERO, now, 1.0);
        assert_eq!(restarts.ended(Duration::ZERO, now, 1.0), Next::Again(50 * MS));
    }
}
