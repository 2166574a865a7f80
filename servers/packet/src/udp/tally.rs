//! The filter of even counters, in user space, and who came how often.
//!
//! A payload begins with a counter of 32 bits, little-endian. Even ones are dropped; odd ones pass,
//! and of those it is known whether any is missing or came twice: only they, because a filter
//! before the socket may have dropped the even ones already.

use serde::{Deserialize, Serialize};

/// How far back a counter that came before can be told from one that comes late, in odd counters.
const WINDOW: u32 = 1 << 16;

/// What to do with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An even counter.
    Drop,
    /// An odd one, or no counter at all.
    Pass,
}

/// What has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All packets.
    pub packets: u64,
    /// Octets of their payloads.
    pub octets: u64,
    /// Odd counters, which pass.
    pub odd: u64,
    /// Even counters, which are dropped.
    pub even: u64,
    /// Payloads of less than four octets: no counter.
    pub short: u64,
    /// Odd counters between the first and the highest that have not come.
    pub missing: u64,
    /// Odd counters that came before.
    pub duplicates: u64,
    /// Odd counters so old that nobody knows whether they came before.
    pub late: u64,
}

/// Filters and counts.
#[derive(Debug, Default)]
pub struct Filter {
    tally: Tally,
    sequence: Option<Sequence>,
}

/// Which odd counters have come, among those in the window.
#[derive(Debug)]
struct Sequence {
    /// By the counter's half: whether it has come. A ring.
    came: Box<[u64]>,
    /// The odd counter after the highest.
    next: u32,
}

/// How a counter fits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It is higher than all before; so many were skipped.
    Ahead { skipped: u64 },
    /// It was skipped before.
    Filled,
    /// It has come before.
    Duplicate,
    /// It is older than the window.
    Late,
}

impl Filter {
    /// Counts a payload, and says what to do with it.
    pub fn judge(&mut self, payload: &[u8]) -> Verdict {
        self.tally.packets += 1;
        self.tally.octets += payload.len() as u64;
        let Some(octets) = payload.first_chunk() else {
            self.tally.short += 1;
            return Verdict::Pass;
        };
        let counter = u32::from_le_bytes(*octets);
        if counter.is_multiple_of(2) {
            self.tally.even += 1;
            return Verdict::Drop;
        }
        self.tally.odd += 1;
        self.fit(counter);
        Verdict::Pass
    }

    /// What has come until now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn fit(&mut self, odd: u32) {
        let sequence = self.sequence.get_or_insert_with(|| Sequence::beginning_with(odd));
        match sequence.fit(odd) {
            Fit::Ahead { skipped } => self.tally.missing += skipped,
            // One from before the first was never missing.
            Fit::Filled => self.tally.missing = self.tally.missing.saturating_sub(1),
            Fit::Duplicate => self.tally.duplicates += 1,
            Fit::Late => self.tally.late += 1,
        }
    }
}

impl Sequence {
    fn beginning_with(odd: u32) -> Self {
        Self { came: vec![0; WINDOW as usize / 64].into(), next: odd }
    }

    /// Counters go round after 2³²; what is less than half of that away is ahead.
    fn fit(&mut self, odd: u32) -> Fit {
        let ahead = odd.wrapping_sub(self.next);
        let behind = self.next.wrapping_sub(odd) / 2;
        if ahead < 1 << 31 {
            return self.advance(odd, ahead / 2);
        }
        if behind > WINDOW {
            return Fit::Late;
        }
        if self.mark(odd) { Fit::Duplicate } else { Fit::Filled }
    }

    /// Those skipped have not come, whatever the ring says of the ones a round before.
    fn advance(&mut self, odd: u32, skipped: u32) -> Fit {
        if skipped >= WINDOW {
            self.came.fill(0);
        } else {
            (0..skipped).for_each(|step| self.clear(self.next.wrapping_add(2 * step)));
        }
        self.clear(odd);
        self.mark(odd);
        self.next = odd.wrapping_add(2);
        Fit::Ahead { skipped: skipped.into() }
    }

    /// Marks a counter as come; whether it was already.
    fn mark(&mut self, odd: u32) -> bool {
        let (word, bit) = place(odd);
        let before = self.came[word] & bit != 0;
        self.came[word] |= bit;
        before
    }

    fn clear(&mut self, odd: u32) {
        let (word, bit) = place(odd);
        self.came[word] &= !bit;
    }
}

/// The word and the bit of an odd counter.
fn place(odd: u32) -> (usize, u64) {
    let half = odd / 2 % WINDOW;
    (half as usize / 64, 1 << (half % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(counters: impl IntoIterator<Item = u32>) -> Tally {
        let mut filter = Filter::default();
        for counter in counters {
            let verdict = filter.judge(&counter.to_le_bytes());
            let expected = if counter % 2 == 0 { Verdict::Drop } else { Verdict::Pass };
            assert_eq!(verdict, expected);
        }
        filter.tally()
    }

    #[test]
    fn even_counters_are_dropped_and_odd_ones_pass() {
        let tally = tally(0..1_000);
        assert_eq!((tally.even, tally.odd, tally.packets, tally.octets), (500, 500, 1_000, 4_000));
        assert_eq!((tally.missing, tally.duplicates, tally.late), (0, 0, 0));
    }

    #[test]
    fn longer_payloads_begin_with_the_counter_and_shorter_ones_pass() {
        let mut filter = Filter::default();
        assert_eq!(filter.judge(&[2, 0, 0, 0, 1]), Verdict::Drop);
        assert_eq!(filter.judge(&[2, 0, 0]), Verdict::Pass);
        assert_eq!(filter.judge(&[]), Verdict::Pass);
        assert_eq!((filter.tally().short, filter.tally().even, filter.tally().octets), (2, 1, 8));
    }

    #[test]
    fn what_is_missing_or_double_is_counted() {
        let seen = tally([1, 3, 9, 9, 3, 11]);
        assert_eq!((seen.missing, seen.duplicates), (2, 2));
        let seen = tally([1, 9, 7, 5, 7]);
        assert_eq!((seen.missing, seen.duplicates), (1, 1));
    }

    #[test]
    fn counters_may_go_round() {
        let seen = tally((0..200_u32).map(|step| step.wrapping_sub(101)));
        assert_eq!((seen.odd, seen.missing, seen.duplicates, seen.late), (100, 0, 0, 0));
    }

    #[test]
    fn the_window_forgets_the_round_before() {
        let all = 2 * WINDOW + 100;
        let seen = tally((0..all).chain(0..100).chain(all - 100..all));
        assert_eq!((seen.late, seen.duplicates, seen.missing), (50, 50, 0));
        let seen = tally([1, 1 + 8 * WINDOW, 3 + 8 * WINDOW]);
        assert_eq!(seen.missing, u64::from(4 * WINDOW) - 1);
    }

    #[test]
    fn of_shuffled_counters_none_is_missing() {
        // 7 has no factor in common with 1,000: each comes once, never in order.
        let seen = tally((0..1_000).map(|step| 2 * (step * 7 % 1_000) + 1));
        assert_eq!((seen.odd, seen.missing, seen.duplicates, seen.late), (1_000, 0, 0, 0));
    }
}
