//! What a backend has to do, beside what it can do.

use std::cmp::Ordering;

/// Open leases per weight. Compared without dividing.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    open: u64,
    weight: u64,
}

impl Load {
    pub(super) const fn new(open: u64, weight: u64) -> Self {
        Self { open, weight }
    }

    /// As it would be with one more lease.
    #[must_use]
    pub const fn with_one_more(self) -> Self {
        Self { open: self.open + 1, ..self }
    }

    /// Whether it is the load of a backend that may be asked at all.
    #[must_use]
    pub const fn may_be_asked(self) -> bool {
        self.weight > 0
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let crossed = |one: &Self, other: &Self| u128::from(one.open) * u128::from(other.weight);
        crossed(self, other).cmp(&crossed(other, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_compared_per_weight() {
        assert!(Load::new(2, 1) < Load::new(3, 1));
        assert!(Load::new(5, 3) < Load::new(2, 1));
        assert_eq!(Load::new(2, 1), Load::new(4, 2));
        assert!(Load::new(u64::MAX, 1) > Load::new(u64::MAX, 2));
        assert!(Load::new(0, 1) < Load::new(0, 1).with_one_more());
        assert!(!Load::new(0, 0).may_be_asked());
    }
}
