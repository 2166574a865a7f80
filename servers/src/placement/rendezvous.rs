//! Rendezvous: every node draws a lot for every key, and the highest wins.
//!
//! **Idea.** The lot of a node for a key is a hash of both. All who know the nodes agree on the
//! winner, and nobody keeps a ring. For weights, a hash `u` in (0, 1) becomes the lot `w / −ln u`:
//! then a node wins with a probability in proportion to `w`, and a change of one weight moves keys
//! to or from that node only.
//! **From.** Thaler and Ravishankar, "A name-based mapping scheme for rendezvous" (1996); the
//! weights as in Schindelhauer and Schomaker, "Weighted distributed hash tables" (SPAA 2005).
//! **Cost.** A hash and a logarithm for each node: for a handful of nodes nothing is simpler; for a
//! thousand nothing is slower. 16 octets a node.
//! **What moves.** Only what must. The second highest lot is the successor, by definition.

use std::mem::size_of;

use super::mix::{mix_name, mix_pair, unit};
use super::{Choice, Method, NodeIndex, Nodes, Placement, Refused, Shape, Visit};

pub(super) const METHOD: Method = Method {
    name: "rendezvous",
    summary: "the highest of the lots that all nodes draw for the key",
    new: |_: &Shape| Box::new(Rendezvous::default()),
    choice: Choice::Key,
};

/// Who draws.
#[derive(Clone, Copy, Debug)]
struct Drawer {
    name: u64,
    node: NodeIndex,
    weight: u32,
}

impl Drawer {
    /// Its lot for a key.
    fn lot(&self, key: u64) -> f64 {
        f64::from(self.weight) / -unit(mix_pair(key, self.name)).ln()
    }
}

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(super) struct Rendezvous {
    nodes: Nodes,
    /// In the order of their names' hashes: of equal lots the last one wins, whoever came first.
    drawers: Vec<Drawer>,
}

impl Placement for Rendezvous {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        self.drawers.push(Drawer { name: mix_name(node), node: index, weight });
        self.drawers.sort_unstable_by_key(|drawer| drawer.name);
        Ok(index)
    }

    fn remove(&mut self, node: &str) -> bool {
        let Some(index) = self.nodes.remove(node) else { return false };
        self.drawers.retain(|drawer| drawer.node != index);
        true
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        self.nodes.free()
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        let lots = self.drawers.iter().map(|drawer| (drawer.lot(key), drawer.node));
        lots.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, node)| node)
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let Some(first) = self.place(key) else { return };
        if visit(first).is_break() {
            return;
        }
        let lots = self.drawers.iter().map(|drawer| (drawer.lot(key), drawer.node));
        let mut lots = lots.filter(|&(_, node)| node != first).collect::<Vec<_>>();
        lots.sort_by(|one, other| other.0.total_cmp(&one.0));
        let _ = lots.into_iter().try_for_each(|(_, node)| visit(node));
    }

    fn octets(&self) -> usize {
        self.drawers.capacity() * size_of::<Drawer>()
    }
}
