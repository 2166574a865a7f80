//! Jump: a hash that grows with the number of buckets, and keeps nothing.
//!
//! **Idea.** When a bucket is added to `b`, each key must move there with the probability `1/(b +
//! 1)` and else stay. A pseudo-random sequence that starts from the key decides; and as it can say
//! at once at which `b` the key moves next, about `ln n` jumps lead to its bucket of `n`.
//! **From.** Lamping and Veach, "A fast, minimal memory, consistent hash algorithm" (2014).
//! **Cost.** `ln n` jumps of a multiplication and a division each; 4 octets a bucket, and these
//! only to know which node a bucket is.
//! **What moves.** When a node comes: only what must. When one goes: what must only if it came
//! last. Buckets are numbers without gaps, so **no other one can be removed**. When one must go,
//! the last bucket takes its number: the keys of the last one move as well, to all, which is about
//! twice what must. Jump suits storage, where shards come and none goes, and not servers that fail.
//!
//! A node of weight `w` is `w` buckets. The order of succession draws anew among those who are
//! left.

use std::mem::size_of;

use super::mix::mix;
use super::{Choice, Method, NodeIndex, Nodes, Placement, Refused, Shape, Visit};

pub(super) const METHOD: Method = Method {
    name: "jump",
    summary: "jumps from bucket to bucket; only the last one can go without moving others",
    new: |_: &Shape| Box::new(Jump::default()),
    choice: Choice::Key,
};

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(super) struct Jump {
    nodes: Nodes,
    buckets: Vec<NodeIndex>,
}

/// The bucket of a key among `buckets`, which may not be 0.
fn jump(mut key: u64, buckets: usize) -> usize {
    let (mut bucket, mut next) = (0, 0);
    while next < buckets as u64 {
        bucket = next;
        // The linear congruential generator of the paper; its upper 31 bits make a number in (0,
        // 1].
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let part = ((key >> 33) + 1) as f64 / (1_u64 << 31) as f64;
        next = ((bucket + 1) as f64 / part) as u64;
    }
    bucket as usize
}

impl Placement for Jump {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.nodes.add(node, weight)?;
        self.buckets.extend((0..weight).map(|_| index));
        Ok(index)
    }

    fn remove(&mut self, node: &str) -> bool {
        let Some(index) = self.nodes.remove(node) else { return false };
        while let Some(bucket) = self.buckets.iter().rposition(|&node| node == index) {
            self.buckets.swap_remove(bucket);
        }
        true
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        self.nodes.free()
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        let buckets = self.buckets.len();
        (buckets > 0).then(|| self.buckets[jump(mix(key), buckets)])
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let Some(mut node) = self.place(key) else { return };
        let (mut hash, mut left) = (mix(key), Vec::new());
        while visit(node).is_continue() {
            if left.is_empty() {
                left.clone_from(&self.buckets);
            }
            left.retain(|&other| other != node);
            if left.is_empty() {
                return;
            }
            hash = mix(hash);
            node = left[jump(hash, left.len())];
        }
    }

    fn octets(&self) -> usize {
        self.buckets.capacity() * size_of::<NodeIndex>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out apart from this code, from the function as the paper prints it.
    #[test]
    fn keys_fall_into_the_buckets_of_the_paper() {
        for (key, buckets, bucket) in [
            (0, 10, 0),
            (1, 1, 0),
            (42, 57, 43),
            (0xdead_10cc, 1, 0),
            (0xdead_10cc, 666, 361),
            (256, 1024, 520),
            (10_863_919_174_838_991, 11, 6),
            (2_016_238_256_797_177_309, 11, 3),
            (1_673_758_223_894_951_030, 11, 5),
        ] {
            assert_eq!(jump(key, buckets), bucket, "{key} among {buckets}");
        }
    }

    /// Keys that move from bucket to bucket as the paper demands: to the new one only, each with a
    /// probability of `1 / (buckets + 1)`.
    #[test]
    fn a_new_bucket_takes_its_share_and_no_key_moves_elsewhere() {
        for buckets in 1..40 {
            let moved = (0..20_000).map(mix).filter(|&key| {
                let (before, after) = (jump(key, buckets), jump(key, buckets + 1));
                assert!(before == after || after == buckets);
                before != after
            });
            let (moved, share) = (moved.count() as f64, 20_000.0 / (buckets as f64 + 1.0));
            assert!((moved - share).abs() < 5.0 * share.sqrt(), "{moved} of {share}");
        }
    }

    #[test]
    fn a_node_that_did_not_come_last_cannot_go_alone() {
        let mut jump = Jump::default();
        for name in ["a", "b", "c", "d"] {
            jump.add(name, 1).unwrap();
        }
        let before = jump.clone();
        jump.remove("b");
        let others = (0..10_000).filter(|&key| {
            let node = before.place(key);
            node != Some(NodeIndex(1)) && node != jump.place(key)
        });
        let last = (0..10_000).filter(|&key| before.place(key) == Some(NodeIndex(3)));
        let (others, last) = (others.count(), last.count());
        assert!(others > 0 && others <= last, "{others} of the last one's {last} moved as well");
    }
}
