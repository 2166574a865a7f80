//! Which slots a copy tries when its own is taken.
//!
//! A sequence of probes must come to every slot, or a copy may find none although some are free.
//! Adding `t²` to the first slot does not: modulo 512 there are only 87 different squares, and when
//! these 87 slots are taken the search never ends. Adding the triangular numbers `t·(t + 1)/2`
//! does, when the number of slots is a power of two (Knuth, TAOCP vol. 3, 6.4, exercise 20).

/// A sequence of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Probing {
    /// One slot after the other.
    #[default]
    Linear,
    /// By triangular numbers, so that neighbours do not stay neighbours; then one after the other,
    /// for the slots that these have left out where the number of slots is no power of two.
    Quadratic,
}

impl Probing {
    /// The slots to try, from `home` on. It ends, and comes to each slot at least once.
    pub(crate) fn path(self, home: usize, slots: usize) -> impl Iterator<Item = usize> {
        let jumps = match self {
            Self::Linear => 0,
            Self::Quadratic => slots,
        };
        let offset = (0..jumps).map(|t| t * (t + 1) / 2).chain(0..slots);
        offset.map(move |offset| (home + offset) % slots)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::ring::Pair;
    use super::super::{ring_given::Given, ring_modified::Modified, ring_sha256::Sha256Pair};
    use super::*;

    #[test]
    fn every_path_comes_to_every_slot() {
        for slots in [1, 2, 3, 7, 100, 512, 513] {
            for probing in [Probing::Linear, Probing::Quadratic] {
                let met: BTreeSet<_> = probing.path(slots / 2, slots).collect();
                assert_eq!(met.len(), slots, "{probing:?}");
            }
        }
    }

    #[test]
    fn triangular_numbers_need_no_second_sequence_where_slots_are_a_power_of_two() {
        let met: BTreeSet<_> = Probing::Quadratic.path(5, 512).take(512).collect();
        assert_eq!(met.len(), 512);
    }

    /// Offsets that repeat from `t` = 512 on: what these do not reach is never reached.
    fn squares() -> BTreeSet<usize> {
        (0..512).map(|t| t * t % 512).collect()
    }

    #[test]
    fn squares_come_to_87_of_512_slots() {
        assert_eq!(squares().len(), 87);
        assert!((512..5_000).all(|t: usize| squares().contains(&(t * t % 512))));
    }

    /// The server whose turn it is when a search by squares finds no slot: there it would go on for
    /// ever.
    fn stuck(pair: &dyn Pair) -> Option<u64> {
        let mut taken = [false; 512];
        (1..=56).find(|&server| {
            (1..=9).any(|copy| {
                let home = pair.copy(server, copy, 512);
                let free = (0..512).map(|t| (home + t * t) % 512).find(|&slot| !taken[slot]);
                free.map(|slot| taken[slot] = true).is_none()
            })
        })
    }

    #[test]
    fn a_search_by_squares_never_ends_although_slots_are_free() {
        assert_eq!(stuck(&Given), Some(41));
        assert_eq!(stuck(&Modified), Some(55));
        assert_eq!(stuck(&Sha256Pair), Some(55));
    }
}
