//! Many rounds of one condition, in a few numbers.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::bed::Bed;
use crate::drive::poller::Poller;

/// Rounds before those that count: caches and predictors learn the condition.
const WARM_UP: u32 = 8;
/// So many rounds are made however long they take.
const ROUNDS_MIN: usize = 16;
/// Readings of the clock from which its own cost is taken.
const READINGS: usize = 1_001;

/// How many rounds are worth it.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// At most so many.
    pub rounds: usize,
    /// No new one after this time, whether it was spent waiting or beside it.
    pub budget: Duration,
}

/// What the rounds of a condition took.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Nanoseconds of each wait, without the clock's own; ascending.
    pub waits_ns: Vec<f64>,
    /// Nanoseconds of asking for one descriptor again, a round each; ascending, and empty where
    /// nobody needs to ask.
    pub rearms_ns: Vec<f64>,
    /// From the first round to the last, with everything beside the waits.
    pub wall: Duration,
    /// CPU time of this thread in that.
    pub cpu: Duration,
}

impl Sample {
    /// Makes the rounds of the condition that the bed is arranged for. `clock_ns` is taken off
    /// each.
    ///
    /// # Errors
    /// When a round fails.
    pub fn take<P: Poller + Send + 'static>(
        bed: &mut Bed<P>,
        active: usize,
        clock_ns: f64,
        effort: Effort,
    ) -> anyhow::Result<Self> {
        (0..WARM_UP).try_for_each(|_| bed.round().map(drop))?;
        let mut sample = Self::default();
        let net = |time: Duration| (time.as_nanos() as f64 - clock_ns).max(0.0);
        let (start, cpu) = (Instant::now(), thread_time());
        while sample.wants_more(effort, start) {
            let round = bed.round()?;
            sample.waits_ns.push(net(round.wait));
            sample.rearms_ns.extend(round.rearm.map(|rearm| net(rearm) / active as f64));
        }
        sample.wall = start.elapsed();
        sample.cpu = thread_time().saturating_sub(cpu);
        sample.waits_ns.sort_by(f64::total_cmp);
        sample.rearms_ns.sort_by(f64::total_cmp);
        Ok(sample)
    }

    fn wants_more(&self, effort: Effort, start: Instant) -> bool {
        let made = self.waits_ns.len();
        made < effort.rounds && (made < ROUNDS_MIN || start.elapsed() < effort.budget)
    }
}

/// The value below which this share of the values lies; they are in ascending order.
#[must_use]
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// The mean of the middle half: as steady as the median, but finer than the clock's step.
#[must_use]
pub(crate) fn middle_mean(sorted: &[f64]) -> Option<f64> {
    let quarter = sorted.len() / 4;
    let middle = &sorted[quarter..sorted.len() - quarter];
    (!middle.is_empty()).then(|| middle.iter().sum::<f64>() / middle.len() as f64)
}

/// What an empty measurement shows, in nanoseconds: the median.
#[must_use]
pub fn clock_ns() -> f64 {
    let mut empty = [0.0; READINGS];
    for reading in &mut empty {
        *reading = Instant::now().elapsed().as_nanos() as f64;
    }
    empty.sort_by(f64::total_cmp);
    empty[READINGS / 2]
}

/// CPU time of the calling thread (clock_gettime(2)).
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::poller::{Block, Event, Token};
    use crate::models::{Epoll, Level, Oneshot};
    use std::io;
    use std::os::fd::BorrowedFd;

    use super::super::room::Reach;
    use crate::connection::Interest;

    #[test]
    fn quantiles_lie_between_values_and_the_middle_leaves_out_the_ends() {
        let values = [1.0, 2.0, 3.0, 4.0, 1000.0];
        assert_eq!(quantile(&values, 0.5), Some(3.0));
        assert_eq!(quantile(&values, 0.125), Some(1.5));
        assert_eq!(middle_mean(&values), Some(3.0));
        assert_eq!((quantile(&[], 0.5), middle_mean(&[])), (None, None));
    }

    #[test]
    fn rounds_end_at_the_number_or_with_the_budget() {
        let mut bed = Bed::<Epoll<Oneshot>>::new(4, Reach::OneTable).unwrap();
        bed.arrange(2, 2).unwrap();
        let take = |bed: &mut _, rounds, budget| {
            Sample::take(bed, 2, 0.0, Effort { rounds, budget }).unwrap()
        };
        let all = take(&mut bed, 30, Duration::from_secs(60));
        assert_eq!((all.waits_ns.len(), all.rearms_ns.len()), (30, 30));
        assert!(all.waits_ns.windows(2).all(|two| two[0] <= two[1]));
        assert_eq!(take(&mut bed, 30, Duration::ZERO).waits_ns.len(), ROUNDS_MIN);
    }

    /// A poller whose waits take longer by a known time.
    struct Slow(Epoll<Level>);

    const DELAY: Duration = Duration::from_millis(3);

    impl Poller for Slow {
        const TRIGGER: crate::drive::poller::Trigger = crate::drive::poller::Trigger::Level;

        fn new() -> io::Result<Self> {
            Epoll::new().map(Self)
        }

        fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
            std::thread::sleep(DELAY);
            self.0.add(fd, token, interest)
        }

        fn modify(&mut self, _: BorrowedFd<'_>, _: Token, _: Interest) -> io::Result<()> {
            unreachable!("it is not one-shot")
        }

        fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
            self.0.remove(fd)
        }

        fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
            std::thread::sleep(DELAY);
            self.0.wait(events, block)
        }
    }

    #[test]
    fn the_whole_wait_is_timed() {
        let mut bed = Bed::<Slow>::new(3, Reach::OneTable).unwrap();
        bed.arrange(2, 1).unwrap();
        let effort = Effort { rounds: 16, budget: Duration::ZERO };
        let sample = Sample::take(&mut bed, 1, 0.0, effort).unwrap();
        assert!(sample.waits_ns[0] >= DELAY.as_nanos() as f64);
        assert!(sample.cpu < sample.wall, "sleeping takes no CPU time");
        let net = Sample::take(&mut bed, 1, 1e12, effort).unwrap();
        assert_eq!(net.waits_ns[15], 0.0, "the clock's part is taken off, and no time is negative");
    }
}
