//! The requests of one connection that are out, the oldest first.

use std::collections::VecDeque;

use crate::clock::Moment;

/// A request that is out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When it was to be sent. In a closed loop that is when it was sent.
    pub(crate) planned: Moment,
    /// When it was sent.
    pub(crate) sent: Moment,
}

/// Requests that wait for their replies, which come in the same order.
///
/// The oldest one is kept in place: most connections have one request out at a time, and idle ones
/// none, and neither should own memory elsewhere for that.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    oldest: Option<Asked>,
    #[expect(clippy::box_collection, reason = "a pointer in place of four, in a million slots")]
    younger: Option<Box<VecDeque<Asked>>>,
}

impl Outstanding {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.oldest.is_some()) + self.younger.as_ref().map_or(0, |queue| queue.len())
    }

    pub(crate) fn oldest(&self) -> Option<Asked> {
        self.oldest
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Asked> {
        let younger = self.younger.iter().flat_map(|queue| queue.iter().copied());
        self.oldest.into_iter().chain(younger)
    }

    /// One more is out. Allocates only when a connection has more out than it ever had.
    #[inline]
    pub(crate) fn push(&mut self, asked: Asked) {
        if self.oldest.is_none() {
            self.oldest = Some(asked);
        } else {
            self.younger.get_or_insert_default().push_back(asked);
        }
    }

    /// The oldest one has come to its end.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Asked> {
        let next = self.younger.as_mut().and_then(|queue| queue.pop_front());
        std::mem::replace(&mut self.oldest, next)
    }

    pub(crate) fn clear(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(nanos: u64) -> Asked {
        Asked { planned: Moment::from_nanos(nanos), sent: Moment::from_nanos(nanos + 1) }
    }

    #[test]
    fn first_in_first_out() {
        let mut out = Outstanding::default();
        (0..5).for_each(|nanos| out.push(asked(nanos)));
        assert_eq!((out.len(), out.oldest()), (5, Some(asked(0))));
        let order: Vec<_> = std::iter::from_fn(|| out.pop()).collect();
        assert_eq!(order, (0..5).map(asked).collect::<Vec<_>>());
        assert_eq!((out.len(), out.oldest()), (0, None));
    }

    #[test]
    fn one_at_a_time_owns_no_memory_elsewhere() {
        let mut out = Outstanding::default();
        (0..9).for_each(|nanos| {
            out.push(asked(nanos));
            out.pop();
        });
        assert!(out.younger.is_none());
    }
}
