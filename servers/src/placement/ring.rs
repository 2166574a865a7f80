//! A ring of few slots, with a few copies of each server on it.
//!
//! **Idea.** `M` slots in a circle. Server number `i` (from 1 on) stands on it `K` times, copy `j`
//! at slot `Φ(i, j)`, or at the next free one when another copy stands there already. Request `id`
//! meets slot `H(id)`, and goes to the first server clockwise of it. The pair (`H`, `Φ`) makes the
//! method: see [`Pair`] and who implements it.
//! **From.** A teaching assignment at IIT Kharagpur (CS60002, 2024), which prescribes `M` = 512,
//! `K` = 9 and both functions; `K` = log₂ `M`.
//! **Cost.** One hash and one look-up, as each slot knows who answers for it; 40 octets a slot.
//! **What moves.** Only what must. But with 9 copies the shares deviate by a third even under an
//! ideal hash, and there is room for `M / K` servers only.
//!
//! What counts is a server's number, not its name: the smallest that is free. Where copies collide,
//! who came first has the slot; so the ring depends on the order of arrivals.

use std::fmt::Debug;
use std::mem::size_of;

use super::probing::Probing;
use super::{NodeIndex, Nodes, Placement, Refused, Shape, Visit, succession};

/// Where requests and copies of servers belong on a ring.
pub(super) trait Pair: Debug + Send + Sync {
    /// `H`: the slot that a request meets.
    fn request(&self, id: u64, slots: usize) -> usize;
    /// `Φ`: the slot that a copy of a server would like. Both count from 1.
    fn copy(&self, server: u64, copy: u64, slots: usize) -> usize;
}

/// A ring that can be looked at slot by slot.
pub trait Slots {
    /// Who stands where.
    fn stands(&self) -> &[Option<Stand>];
    /// The slot that a request meets.
    fn met_by(&self, id: u64) -> usize;
    /// Who answers those who meet this slot: the first server clockwise.
    fn answers(&self, slot: usize) -> Option<NodeIndex>;
}

/// A copy of a server, on its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Whose.
    pub node: NodeIndex,
    /// Which, from 1 on.
    pub copy: u64,
    /// The slot that it would have liked.
    pub home: usize,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub(super) struct Ring<P> {
    pair: P,
    nodes: Nodes,
    copies: usize,
    probing: Probing,
    stands: Vec<Option<Stand>>,
    /// For each slot, the first server clockwise.
    answers: Vec<Option<NodeIndex>>,
}

impl<P: Pair> Ring<P> {
    pub(super) fn new(pair: P, shape: &Shape) -> Self {
        let slots = shape.slots.max(1);
        Self {
            pair,
            nodes: Nodes::default(),
            copies: shape.copies.max(1),
            probing: shape.probing,
            stands: vec![None; slots],
            answers: vec![None; slots],
        }
    }

    fn vacant(&self) -> usize {
        self.stands.iter().filter(|stand| stand.is_none()).count()
    }

    fn settle(&mut self, node: NodeIndex, copies: usize) {
        for copy in 1..=copies as u64 {
            let home = self.pair.copy(u64::from(node.0) + 1, copy, self.stands.len());
            let mut path = self.probing.path(home, self.stands.len());
            if let Some(slot) = path.find(|&slot| self.stands[slot].is_none()) {
                self.stands[slot] = Some(Stand { node, copy, home });
            }
        }
    }

    /// Once around against the clock, and once more for the slots before the first server.
    fn answer(&mut self) {
        let mut next = None;
        for slot in (0..self.stands.len()).rev().cycle().take(2 * self.stands.len()) {
            next = self.stands[slot].map_or(next, |stand| Some(stand.node));
            self.answers[slot] = next;
        }
    }
}

impl<P: Pair + Clone + 'static> Placement for Ring<P> {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        let copies = self.copies * weight as usize;
        if copies > self.vacant() {
            self.nodes.remove(node);
            return Err(Refused::Full { free: self.free() });
        }
        self.settle(index, copies);
        self.answer();
        Ok(index)
    }

    fn remove(&mut self, node: &str) -> bool {
        let Some(index) = self.nodes.remove(node) else { return false };
        self.stands.iter_mut().for_each(|slot| *slot = slot.filter(|stand| stand.node != index));
        self.answer();
        true
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        self.nodes.free().min(self.vacant() / self.copies)
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        self.answers[self.met_by(key)]
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let (before, after) = self.stands.split_at(self.met_by(key));
        let stands = after.iter().chain(before).flatten();
        succession::along(stands.map(|stand| stand.node), &self.nodes, visit);
    }

    fn octets(&self) -> usize {
        self.stands.len() * (size_of::<Option<Stand>>() + size_of::<Option<NodeIndex>>())
    }

    fn slots(&self) -> Option<&dyn Slots> {
        Some(self)
    }
}

impl<P: Pair> Slots for Ring<P> {
    fn stands(&self) -> &[Option<Stand>] {
        &self.stands
    }

    fn met_by(&self, id: u64) -> usize {
        self.pair.request(id, self.stands.len())
    }

    fn answers(&self, slot: usize) -> Option<NodeIndex> {
        self.answers.get(slot).copied().flatten()
    }
}
