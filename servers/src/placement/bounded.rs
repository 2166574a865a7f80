//! Bounded loads: no node gets more than its share and a bit.
//!
//! **Idea.** However even the hash, some keys are hot, and the node of a hot key is busy while
//! others idle. So no node may carry more than `c` times the mean load, rounded up; a key whose
//! node is full goes to the next in its order of succession. With `c` = 1.25 a key seldom moves,
//! and the peak is 1.25 times the mean by construction.
//! **From.** Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads" (SODA
//! 2018); HAProxy's `hash-balance-factor`.
//! **Cost.** One look at the loads for each node that is full, beside the method below it.
//! **What moves.** What the method below moves, and the keys that find their node full.

use std::ops::ControlFlow;

use super::circle::Circle;
use super::ketama::Ketama;
use super::{Choice, Method, NodeIndex, Placement, Shape};

pub(super) const METHOD: Method = Method {
    name: "bounded",
    summary: "ketama, but no node gets more than 1.25 times the mean",
    new: |_: &Shape| Box::new(Circle::new(Ketama)),
    choice: Choice::Load(Bound::DEFAULT),
};

/// How much more than the mean a node may carry, in hundredths of the mean: 100 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(u32);

impl Bound {
    /// 1.25 times the mean.
    pub const DEFAULT: Self = Self(125);

    /// None below 100: there would not be room for all.
    #[must_use]
    pub fn hundredths(bound: u32) -> Option<Self> {
        (bound >= 100).then_some(Self(bound))
    }

    /// The most that one of `nodes` may carry when there is one more than `total` to be carried.
    #[must_use]
    pub fn room(self, total: u64, nodes: usize) -> u64 {
        let share = u128::from(self.0) * (u128::from(total) + 1);
        u64::try_from(share.div_ceil(100 * nodes.max(1) as u128)).unwrap_or(u64::MAX)
    }

    /// The node for a key: the first in its order of succession that is not full. `load` says what
    /// a node carries, and `total` what all carry together. None when there are no nodes.
    ///
    /// Loads may change while this looks: then every node may seem full, and the key goes to the
    /// node that it belongs to.
    pub fn place(
        self,
        placement: &dyn Placement,
        key: u64,
        total: u64,
        mut load: impl FnMut(NodeIndex) -> u64,
    ) -> Option<NodeIndex> {
        let room = self.room(total, placement.nodes().count());
        let (mut home, mut chosen) = (None, None);
        placement.successors(key, &mut |node| {
            home = home.or(Some(node));
            if load(node) < room {
                chosen = Some(node);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        chosen.or(home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(nodes: u32) -> Box<dyn Placement> {
        let mut ring = (METHOD.new)(&Shape::default());
        for node in 0..nodes {
            ring.add(&format!("node-{node}"), 1).unwrap();
        }
        ring
    }

    #[test]
    fn no_node_ever_carries_more_than_its_bound() {
        let (ring, bound) = (ring(7), Bound::hundredths(105).unwrap());
        let mut loads = [0_u64; 7];
        for total in 0..10_000 {
            let key = total % 100; // Few and hot: a plain ring would leave it at that.
            let node = bound.place(&*ring, key, total, |node| loads[node.place()]).unwrap();
            loads[node.place()] += 1;
            assert!(loads[node.place()] <= bound.room(total, 7), "{loads:?} of {total}");
        }
    }

    #[test]
    fn a_key_stays_at_home_while_there_is_room() {
        let ring = ring(5);
        for key in 0..1_000 {
            let node = Bound::DEFAULT.place(&*ring, key, 1_000, |_| 200);
            assert_eq!(node, ring.place(key));
        }
    }

    #[test]
    fn a_full_node_hands_over_to_its_successor() {
        let ring = ring(5);
        for key in 0..1_000 {
            let order = ring.order(key);
            let load = |node| if node == order[0] { 1_000 } else { 0 };
            assert_eq!(Bound::DEFAULT.place(&*ring, key, 1_000, load), Some(order[1]));
        }
    }

    #[test]
    fn where_all_are_full_a_key_goes_home_and_nowhere_when_there_are_none() {
        let full = |nodes| Bound::DEFAULT.place(&*ring(nodes), 7, 0, |_| u64::MAX);
        assert_eq!(full(3), ring(3).place(7));
        assert_eq!(full(0), None);
    }

    #[test]
    fn a_bound_below_the_mean_is_none() {
        assert_eq!(Bound::hundredths(99), None);
        assert_eq!(Bound::DEFAULT.room(3, 4), 2);
        assert_eq!(Bound::DEFAULT.room(u64::MAX, 1), u64::MAX);
    }
}
