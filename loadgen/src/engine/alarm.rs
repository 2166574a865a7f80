//! Waking up in time for a send.
//!
//! A thread that sleeps until a moment wakes up later than that: the timer interrupt, the scheduler
//! and, on a virtual machine, a halted processor take 10 to 100 µs. But they take about the same
//! time each time. So the alarm is set earlier by what is usual, and for the few microseconds by
//! which that was too early, the thread looks for replies without sleeping. This bounds the
//! lateness of a send by how much wake-ups differ, and costs a tenth of what spinning would.

use crate::clock::Moment;

/// Earlier than this is never set, however late wake-ups have been: a bad moment of the host is no
/// reason to burn its CPU.
const EARLIEST_NS: u64 = 150_000;

/// Weight of a new wake-up in the running figures: 1/2^4.
const WEIGHT: u32 = 4;

/// The usual lateness of wake-ups, estimated as TCP does with round-trip times (RFC 6298): a
/// running mean, and a running mean of the distances from it.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    mean_ns: u64,
    distance_ns: u64,
}

impl Alarm {
    /// A sleep that was to end at `set` has ended at `now`.
    pub(crate) fn rang(&mut self, set: Moment, now: Moment) {
        let late = now.nanos_since(set).min(EARLIEST_NS);
        let distance = late.abs_diff(self.mean_ns);
        self.distance_ns = mix(self.distance_ns, distance);
        self.mean_ns = mix(self.mean_ns, late);
    }

    /// When to end a sleep in order to be awake at `due`: now, if it would be over before it had
    /// well begun.
    pub(crate) fn set_for(&self, due: Moment, now: Moment) -> Moment {
        let set = due.before_nanos((self.mean_ns + self.distance_ns).min(EARLIEST_NS));
        if set.nanos_since(now) < self.mean_ns / 2 { now } else { set }
    }
}

fn mix(mean: u64, new: u64) -> u64 {
    mean - (mean >> WEIGHT) + (new >> WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lateness: impl IntoIterator<Item = u64>) -> u64 {
        let mut alarm = Alarm::default();
        let set = Moment::from_nanos(1_000_000);
        lateness.into_iter().for_each(|late| alarm.rang(set, set.after_nanos(late)));
        let due = Moment::from_nanos(5_000_000);
        due.nanos_since(alarm.set_for(due, set))
    }

    #[test]
    fn is_set_earlier_by_what_is_usual() {
        assert_eq!(after([]), 0);
        let steady = after([20_000; 200]);
        assert!((19_000..=21_000).contains(&steady), "{steady}");
        let uneven = after((0..200).map(|turn| 15_000 + turn % 2 * 10_000));
        assert!((22_000..=27_000).contains(&uneven), "{uneven}");
    }

    #[test]
    fn a_sleep_that_is_too_short_is_left_out() {
        let mut alarm = Alarm::default();
        let now = Moment::from_nanos(1_000_000);
        (0..200).for_each(|_| alarm.rang(now, now.after_nanos(20_000)));
        assert_eq!(alarm.set_for(now.after_nanos(25_000), now), now);
        assert!(alarm.set_for(now.after_nanos(50_000), now) > now);
    }

    #[test]
    fn a_bad_moment_does_not_make_it_burn_the_cpu() {
        assert!(after([20_000_000; 1000]) <= EARLIEST_NS);
    }
}
