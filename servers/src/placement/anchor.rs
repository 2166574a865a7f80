//! AnchorHash: a hash onto more buckets than there are, and again where there is none.
//!
//! **Idea.** There are `a` buckets, of which some work. A key is hashed onto all; when it meets one
//! that does not work, it is hashed again, onto those that worked when that one was removed, and so
//! on. Who was removed when is the whole state: each lost bucket remembers how many were left, and
//! whom the last of these stood in for.
//! **From.** Mendelson, Vargaftik, Barabash, Lorenz, Keslassy and Orda, "AnchorHash: a scalable
//! consistent hash" (IEEE/ACM Transactions on Networking, 2021); the names of the arrays are the
//! paper's.
//! **Cost.** About `1 + ln(a / nodes)` hashes, 20 octets a bucket; a change touches a few numbers.
//! **What moves.** Only what must, whoever goes. The price is that `a` must be known first.
//!
//! A node of weight `w` is `w` buckets. The order of succession removes one node after the other
//! from a copy, so it says exactly who takes over.

use std::mem::size_of;

use super::mix::{below, mix, mix_pair};
use super::{Choice, Method, NodeIndex, Nodes, Placement, Refused, Shape, Visit};

pub(super) const METHOD: Method = Method {
    name: "anchor",
    summary: "a hash onto 128 buckets, and again where none of them works",
    new: |shape: &Shape| Box::new(Anchor::new(shape.most)),
    choice: Choice::Key,
};

/// The buckets: which work, and who left when.
#[derive(Clone, Debug)]
struct Buckets {
    /// `A`: 0 where a bucket works; else how many worked after it had gone.
    left: Vec<u32>,
    /// `K`: who took the place of a bucket that has gone.
    heir: Vec<u32>,
    /// `W`: those that work, at the front.
    works: Vec<u32>,
    /// `L`: where each is, or was last, in `works`.
    at: Vec<u32>,
    /// `R`: those that have gone; the last one comes back first.
    gone: Vec<u32>,
}

impl Buckets {
    /// None of them works.
    fn new(count: u32) -> Self {
        let each = || (0..count).collect::<Vec<_>>();
        let left = vec![0; count as usize];
        let mut buckets = Self { left, heir: each(), works: each(), at: each(), gone: vec![] };
        (0..count).rev().for_each(|bucket| buckets.remove(bucket));
        buckets
    }

    fn working(&self) -> usize {
        self.left.len() - self.gone.len()
    }

    fn remove(&mut self, bucket: u32) {
        self.gone.push(bucket);
        let count = self.working();
        let (bucket, last) = (bucket as usize, self.works[count]);
        self.left[bucket] = count as u32;
        self.works[self.at[bucket] as usize] = last;
        self.at[last as usize] = self.at[bucket];
        self.heir[bucket] = last;
    }

    fn add(&mut self) -> Option<u32> {
        let count = self.working();
        let bucket = self.gone.pop()?;
        let place = bucket as usize;
        self.left[place] = 0;
        let last = self.works[count] as usize;
        self.at[last] = count as u32;
        self.works[self.at[place] as usize] = bucket;
        self.heir[place] = bucket;
        Some(bucket)
    }

    /// The bucket of a key. At least one must work.
    fn find(&self, key: u64) -> usize {
        let mut bucket = below(mix(key), self.left.len());
        while self.left[bucket] > 0 {
            let left = self.left[bucket];
            let mut next = below(mix_pair(key, bucket as u64), left as usize);
            // Who stood there when `bucket` went? Whoever went before has an heir.
            while self.left[next] >= left {
                next = self.heir[next] as usize;
            }
            bucket = next;
        }
        bucket
    }
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    nodes: Nodes,
    buckets: Buckets,
    /// The node that a bucket belongs to, while it works.
    owner: Vec<NodeIndex>,
}

impl Anchor {
    fn new(most: usize) -> Self {
        let count = most.clamp(1, super::nodes::NODES_MAX);
        let buckets = Buckets::new(count as u32);
        Self { nodes: Nodes::default(), buckets, owner: vec![NodeIndex(0); count] }
    }

    /// Takes the buckets of a node away, in the reverse order of their coming.
    fn vacate(&self, buckets: &mut Buckets, node: NodeIndex) {
        let working = &self.buckets.works[..self.buckets.working()];
        let mut owned: Vec<_> =
            working.iter().filter(|&&bucket| self.owner[bucket as usize] == node).collect();
        owned.sort_unstable();
        owned.into_iter().rev().for_each(|&bucket| buckets.remove(bucket));
    }
}

impl Placement for Anchor {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        if self.free() < weight as usize {
            self.nodes.remove(node);
            return Err(Refused::Full { free: self.free() });
        }
        for _ in 0..weight {
            if let Some(bucket) = self.buckets.add() {
                self.owner[bucket as usize] = index;
            }
        }
        Ok(index)
    }

    fn remove(&mut self, node: &str) -> bool {
        let Some(index) = self.nodes.remove(node) else { return false };
        let mut buckets = self.buckets.clone();
        self.vacate(&mut buckets, index);
        self.buckets = buckets;
        true
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        self.buckets.gone.len()
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        (self.buckets.working() > 0).then(|| self.owner[self.buckets.find(key)])
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let Some(mut node) = self.place(key) else { return };
        let mut left = None;
        while visit(node).is_continue() {
            let left = left.get_or_insert_with(|| self.buckets.clone());
            self.vacate(left, node);
            if left.working() == 0 {
                return;
            }
            node = self.owner[left.find(key)];
        }
    }

    fn octets(&self) -> usize {
        let numbers = self.buckets.left.len() * 4 + self.buckets.gone.capacity();
        numbers * size_of::<u32>() + self.owner.len() * size_of::<NodeIndex>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any history of comings and goings leaves a hash that shares evenly among those who work.
    #[test]
    fn after_any_history_shares_are_even_and_only_working_buckets_are_met() {
        let mut buckets = Buckets::new(64);
        for _ in 0..20 {
            buckets.add();
        }
        for step in 0..200_u64 {
            let working = buckets.working();
            if working > 4 && !mix(step).is_multiple_of(3) {
                buckets.remove(buckets.works[below(mix_pair(7, step), working)]);
            } else {
                buckets.add();
            }
        }
        let mut met = vec![0_u32; 64];
        (0..100_000).for_each(|key| met[buckets.find(key)] += 1);
        let ideal = 100_000.0 / buckets.working() as f64;
        for (bucket, &count) in met.iter().enumerate() {
            let expected = if buckets.left[bucket] == 0 { ideal } else { 0.0 };
            assert!((f64::from(count) - expected).abs() <= 5.0 * expected.sqrt(), "{met:?}");
        }
    }

    #[test]
    fn the_last_one_may_go_and_come_back() {
        let mut anchor = Anchor::new(4);
        anchor.add("a", 1).unwrap();
        assert!(anchor.remove("a"));
        assert_eq!(anchor.place(5), None);
        anchor.add("b", 4).unwrap();
        assert_eq!(anchor.add("c", 1), Err(Refused::Full { free: 0 }));
        assert!((0..1_000).all(|key| anchor.place(key) == Some(NodeIndex(0))));
    }
}
