//! Multi-probe: one point for each node, and many probes for each key.
//!
//! **Idea.** The other way round than [`ketama`](super::ketama): a node has a single point on the
//! [circle](super::circle), and a key is hashed 21 times; it belongs to the node that is nearest
//! clockwise to any of its probes. A node behind a long arc is reached by more probes, but mostly
//! from far away, and then loses to another; so the arcs' lengths hardly show.
//! **From.** Appleton and O'Reilly, "Multi-probe consistent hashing" (2015): `1 + 1/ε` probes make
//! the peak `1 + ε` times the mean; 21 are for 1.05.
//! **Cost.** 21 hashes and binary searches; 16 octets a node.
//! **What moves.** Only what must.
//!
//! A node of weight `w` has `w` points.

use std::iter;

use super::circle::{Circle, Point, Rule};
use super::mix::mix_pair;
use super::{Choice, Method, NodeIndex, Placement, Shape, Visit, succession};

pub(super) const METHOD: Method = Method {
    name: "multi-probe",
    summary: "a circle with one point for each node and 21 probes for each key",
    new: |_: &Shape| Box::new(Circle::new(MultiProbe)),
    choice: Choice::Key,
};

/// Hashes of a key.
const PROBES: u64 = 21;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub(super) struct MultiProbe;

impl Rule for MultiProbe {
    const POINTS: u64 = 1;

    fn place(&self, circle: &Circle<Self>, key: u64) -> Option<NodeIndex> {
        let met = |probe| circle.next(probe).map(|point| (point.at.wrapping_sub(probe), point));
        let nearest = probes(key).filter_map(met).min_by_key(|&(distance, _)| distance);
        nearest.map(|(_, point)| point.node)
    }

    fn successors(&self, circle: &Circle<Self>, key: u64, visit: &mut Visit<'_>) {
        let first = self.place(circle, key).into_iter();
        // Mostly the first is taken: all distances are looked at for the sake of a second one only.
        let all = iter::once_with(|| nearest_first(circle.points(), key)).flatten();
        succession::along(first.chain(all), circle.nodes(), visit);
    }
}

fn probes(key: u64) -> impl Iterator<Item = u64> {
    (0..PROBES).map(move |number| mix_pair(key, number))
}

/// Who has the points, by how near these are to any probe, looking clockwise.
fn nearest_first(points: &[Point], key: u64) -> impl Iterator<Item = NodeIndex> {
    let distance = |point: &Point| probes(key).map(|probe| point.at.wrapping_sub(probe)).min();
    let mut points = points.to_vec();
    points.sort_by_cached_key(distance);
    points.into_iter().map(|point| point.node)
}
