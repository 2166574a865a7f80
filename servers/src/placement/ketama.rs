//! Ketama: a ring with many points for each node.
//!
//! **Idea.** Nodes and keys are hashed onto a circle; a key belongs to the first node clockwise of
//! it. One point for a node would make arcs of very different lengths, so each has many: with `k`
//! points for each of a few nodes, their shares deviate by about `1/√k` (160: 8 %).
//! **From.** Karger et al., "Consistent hashing and random trees" (STOC 1997); libketama (Jones,
//! Last.fm, 2007), whose 160 points for a weight of 1 these are, on a circle of 64 bits and with
//! [`mix`](super::mix) where libketama has MD5 and 32.
//! **Cost.** A binary search among 160·nodes points; 16 octets for each.
//! **What moves.** Only what must: the arcs before the points that come or go.

use std::mem::size_of;

use super::mix::{mix, mix_name, mix_pair};
use super::{
    Choice, Method, NodeIndex, Nodes, Placement, Refused, Rejected, Shape, Visit, one_by_one,
    succession,
};

pub(super) const METHOD: Method = Method {
    name: "ketama",
    summary: "a circle with 160 points for each node",
    new: |_: &Shape| Box::new(Ketama::default()),
    choice: Choice::Key,
};

/// Points of a node of weight 1.
const POINTS: u64 = 160;

/// A place on the circle, and who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: u64,
    node: NodeIndex,
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(super) struct Ketama {
    nodes: Nodes,
    /// In ascending order.
    points: Vec<Point>,
}

impl Ketama {
    /// The points from a key on, clockwise, once around.
    fn clockwise(&self, key: u64) -> impl Iterator<Item = &Point> {
        let hash = mix(key);
        let first = self.points.partition_point(|point| point.at < hash);
        let (before, after) = self.points.split_at(first);
        after.iter().chain(before)
    }

    /// Gives a node its points, wherever they fall.
    fn join(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        let name = mix_name(node);
        let copies = 0..POINTS * u64::from(weight);
        self.points.extend(copies.map(|copy| Point { at: mix_pair(name, copy), node: index }));
        Ok(index)
    }

    /// Points that fall together (once in 10⁹ rings of 1,000 nodes) go by the name, so that the
    /// circle is the same in whatever order the nodes have come.
    fn sort(&mut self) {
        let Self { nodes, points } = self;
        points.sort_unstable_by_key(|point| (point.at, nodes.name(point.node)));
    }
}

impl Placement for Ketama {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.join(node, weight)?;
        self.sort();
        Ok(index)
    }

    fn add_all(&mut self, nodes: &[(&str, u32)]) -> Result<(), Rejected> {
        let joined = one_by_one(nodes, |node, weight| self.join(node, weight));
        self.sort();
        joined
    }

    fn remove(&mut self, node: &str) -> bool {
        let Some(index) = self.nodes.remove(node) else { return false };
        self.points.retain(|point| point.node != index);
        true
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        self.nodes.free()
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        self.clockwise(key).next().map(|point| point.node)
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        succession::along(self.clockwise(key).map(|point| point.node), &self.nodes, visit);
    }

    fn octets(&self) -> usize {
        self.points.capacity() * size_of::<Point>()
    }
}
