//! A circle with points of the nodes on it.
//!
//! The numbers of 64 bits close to a circle. Each node is hashed to some points of it, by its name
//! alone; so the circle is the same in whatever order the nodes have come. How many points a node
//! has, and how a key finds its node among them, makes the method: see [`Rule`] and who implements
//! it.

use std::fmt::Debug;
use std::mem::size_of;

use super::mix::{mix_name, mix_pair};
use super::{NodeIndex, Nodes, Placement, Refused, Rejected, Visit, one_by_one};

/// How keys find their nodes.
pub(super) trait Rule: Clone + Debug + Send + Sync + 'static {
    /// Points of a node of weight 1.
    const POINTS: u64;

    /// As [`Placement::place`].
    fn place(&self, circle: &Circle<Self>, key: u64) -> Option<NodeIndex>;

    /// As [`Placement::successors`].
    fn successors(&self, circle: &Circle<Self>, key: u64, visit: &mut Visit<'_>);
}

/// A place on the circle, and who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: u64,
    pub(super) node: NodeIndex,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub(super) struct Circle<R> {
    rule: R,
    nodes: Nodes,
    /// In ascending order.
    points: Vec<Point>,
}

impl<R: Rule> Circle<R> {
    pub(super) fn new(rule: R) -> Self {
        Self { rule, nodes: Nodes::default(), points: Vec::new() }
    }

    /// All points, in ascending order.
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The first point clockwise of a place, or on it.
    pub(super) fn next(&self, place: u64) -> Option<Point> {
        self.points.get(self.first(place)).or_else(|| self.points.first()).copied()
    }

    /// The points from a place on, clockwise, once around.
    pub(super) fn clockwise(&self, place: u64) -> impl Iterator<Item = Point> {
        let (before, after) = self.points.split_at(self.first(place));
        after.iter().chain(before).copied()
    }

    fn first(&self, place: u64) -> usize {
        self.points.partition_point(|point| point.at < place)
    }

    /// Gives a node its points, wherever they fall.
    fn join(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        let name = mix_name(node);
        let copies = 0..R::POINTS * u64::from(weight);
        self.points.extend(copies.map(|copy| Point { at: mix_pair(name, copy), node: index }));
        Ok(index)
    }

    /// Points that fall together (once in 10⁹ circles of 160 points for each of 1,000 nodes) go by
    /// the name.
    fn sort(&mut self) {
        let Self { nodes, points, .. } = self;
        points.sort_unstable_by_key(|point| (point.at, nodes.name(point.node)));
    }
}

impl<R: Rule> Placement for Circle<R> {
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
        self.rule.place(self, key)
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        self.rule.successors(self, key, visit);
    }

    fn octets(&self) -> usize {
        self.points.capacity() * size_of::<Point>()
    }
}
