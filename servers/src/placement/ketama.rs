//! Ketama: a ring with many points for each node.
//!
//! **Idea.** Nodes and keys are hashed onto a [circle](super::circle); a key belongs to the first
//! node clockwise of it. One point for a node would make arcs of very different lengths, so each
//! has many: with `k` points for each of a few nodes, their shares deviate by about `1/√k` (160:
//! 8 %).
//! **From.** Karger et al., "Consistent hashing and random trees" (STOC 1997); libketama (Jones,
//! Last.fm, 2007), whose 160 points for a weight of 1 these are, on a circle of 64 bits and with
//! [`mix`](super::mix) where libketama has MD5 and 32.
//! **Cost.** A binary search among 160·nodes points; 16 octets for each.
//! **What moves.** Only what must: the arcs before the points that come or go.

use super::circle::{Circle, Rule};
use super::mix::mix;
use super::{Choice, Method, NodeIndex, Placement, Shape, Visit, succession};

pub(super) const METHOD: Method = Method {
    name: "ketama",
    summary: "a circle with 160 points for each node",
    new: |_: &Shape| Box::new(Circle::new(Ketama)),
    choice: Choice::Key,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ketama;

impl Rule for Ketama {
    const POINTS: u64 = 160;

    fn place(&self, circle: &Circle<Self>, key: u64) -> Option<NodeIndex> {
        circle.next(mix(key)).map(|point| point.node)
    }

    fn successors(&self, circle: &Circle<Self>, key: u64, visit: &mut Visit<'_>) {
        let owners = circle.clockwise(mix(key)).map(|point| point.node);
        succession::along(owners, circle.nodes(), visit);
    }
}
