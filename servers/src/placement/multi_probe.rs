//! Multi-probe: one point for each node, and many probes for each key.
//!
//! **Idea.** The other way round than [`ketama`](super::ketama): a node has a single point on the
//! circle, and a key is hashed 21 times; it belongs to the node that is nearest clockwise to any of
//! its probes. A node behind a long arc is reached by more probes, but mostly from far away, and
//! then loses to another; so the arcs' lengths hardly show.
//! **From.** Appleton and O'Reilly, "Multi-probe consistent hashing" (2015): `1 + 1/ε` probes make
//! the peak `1 + ε` times the mean; 21 are for 1.05.
//! **Cost.** 21 hashes and binary searches; 16 octets a node.
//! **What moves.** Only what must.
//!
//! A node of weight `w` has `w` points.

use std::mem::size_of;

use super::mix::{mix_name, mix_pair};
use super::{
    Choice, Method, NodeIndex, Nodes, Placement, Refused, Rejected, Shape, Visit, one_by_one,
};

pub(super) const METHOD: Method = Method {
    name: "multi-probe",
    summary: "a circle with one point for each node and 21 probes for each key",
    new: |_: &Shape| Box::new(MultiProbe::default()),
    choice: Choice::Key,
};

/// Hashes of a key.
const PROBES: u64 = 21;

/// A place on the circle, and who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    at: u64,
    node: NodeIndex,
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(super) struct MultiProbe {
    nodes: Nodes,
    /// In ascending order.
    points: Vec<Point>,
}

impl MultiProbe {
    /// Gives a node its points, wherever they fall.
    fn join(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        let name = mix_name(node);
        let copies = 0..u64::from(weight);
        self.points.extend(copies.map(|copy| Point { at: mix_pair(name, copy), node: index }));
        Ok(index)
    }

    fn sort(&mut self) {
        self.points.sort_unstable_by_key(|point| (point.at, self.nodes.name(point.node)));
    }

    /// The first point clockwise, and how far it is. There must be one.
    fn next(&self, probe: u64) -> (u64, NodeIndex) {
        let place = self.points.partition_point(|point| point.at < probe);
        let point = self.points[if place == self.points.len() { 0 } else { place }];
        (point.at.wrapping_sub(probe), point.node)
    }

    /// How near a point is to any probe, looking clockwise.
    fn distance(point: Point, key: u64) -> u64 {
        probes(key).map(|probe| point.at.wrapping_sub(probe)).min().unwrap_or(u64::MAX)
    }
}

fn probes(key: u64) -> impl Iterator<Item = u64> {
    (0..PROBES).map(move |number| mix_pair(key, number))
}

impl Placement for MultiProbe {
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
        if self.points.is_empty() {
            return None;
        }
        let nearest =
            probes(key).map(|probe| self.next(probe)).min_by_key(|&(distance, _)| distance);
        nearest.map(|(_, node)| node)
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let Some(first) = self.place(key) else { return };
        if visit(first).is_break() {
            return;
        }
        let mut order = self.points.clone();
        order.sort_by_cached_key(|&point| Self::distance(point, key));
        let mut met = vec![false; self.nodes.span()];
        met[first.place()] = true;
        let _ = order
            .into_iter()
            .filter(|point| !std::mem::replace(&mut met[point.node.place()], true))
            .try_for_each(|point| visit(point.node));
    }

    fn octets(&self) -> usize {
        self.points.capacity() * size_of::<Point>()
    }
}
