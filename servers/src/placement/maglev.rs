//! Maglev: a table that the nodes fill in turn.
//!
//! **Idea.** A table of 65,537 entries. Each node has a random permutation of these and, whenever
//! it is its turn, takes the first entry of it that is still free, until all are taken. So each
//! node has as many entries as any other, give or take one, whatever the hash: the balance is by
//! construction. A node of half the weight has half as many turns.
//! **From.** Eisenbud et al., "Maglev: a fast and reliable software network load balancer" (NSDI
//! 2016), section 3.4; the weights as in Envoy. The number of entries is the paper's small one: a
//! prime, so that each step from entry to entry makes a permutation, and a hundred times the nodes.
//! **Cost.** One hash and one look into 128 KiB; a change fills the table anew.
//! **What moves.** What must, and a few more: a node that comes or goes changes who is first at
//! some entry, and with it the turns that follow.
//!
//! The order of succession is that of the entries that follow. It is fixed and spreads a lost
//! node's keys over all others, but it is not where these would go if the table were filled anew.

use std::mem::size_of;

use super::mix::{below, mix, mix_name, mix_pair};
use super::{
    Choice, Method, NodeIndex, Nodes, Placement, Refused, Rejected, Shape, Visit, one_by_one,
    succession,
};

pub(super) const METHOD: Method = Method {
    name: "maglev",
    summary: "a table of 65,537 entries that the nodes fill in turn",
    new: |_: &Shape| Box::new(Maglev::default()),
    choice: Choice::Key,
};

/// Entries: a prime.
const ENTRIES: usize = 65_537;
/// The most nodes: with a hundred entries for each, shares differ by 1 % at most.
const MOST: usize = ENTRIES / 100;
/// An entry that nobody has taken yet. There are fewer nodes than this.
const FREE: u16 = u16::MAX;

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(super) struct Maglev {
    nodes: Nodes,
    /// Empty when there are no nodes.
    table: Vec<u16>,
}

/// A node while the table is filled.
struct Filler {
    node: u16,
    weight: u64,
    /// The entry that it looks at next, and how far it is from there to the one after.
    entry: usize,
    step: usize,
    turns: u64,
}

impl Filler {
    fn new(node: NodeIndex, name: &str, weight: u32) -> Self {
        let hash = mix_name(name);
        Self {
            node: node.0 as u16,
            weight: weight.into(),
            entry: below(mix_pair(hash, 1), ENTRIES),
            step: 1 + below(mix_pair(hash, 2), ENTRIES - 1),
            turns: 0,
        }
    }

    /// Whether it is due in this round: the heaviest is in each.
    const fn due(&self, round: u64, heaviest: u64) -> bool {
        round * self.weight > self.turns * heaviest
    }

    /// Takes the first entry of its permutation that is free. There must be one.
    fn take(&mut self, table: &mut [u16]) {
        while table[self.entry] != FREE {
            self.entry = (self.entry + self.step) % ENTRIES;
        }
        table[self.entry] = self.node;
        self.turns += 1;
    }
}

impl Maglev {
    /// Takes a node in, which has no entries yet.
    fn join(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        if self.free() == 0 {
            return Err(Refused::Full { free: 0 });
        }
        self.nodes.add(node, weight)
    }

    fn fill(&mut self) {
        let mut fillers = self.fillers();
        let heaviest = fillers.iter().map(|filler| filler.weight).max().unwrap_or(0);
        self.table = vec![FREE; if fillers.is_empty() { 0 } else { ENTRIES }];
        let mut left = self.table.len();
        for round in 1.. {
            for filler in fillers.iter_mut().filter(|filler| filler.due(round, heaviest)) {
                if left == 0 {
                    return;
                }
                filler.take(&mut self.table);
                left -= 1;
            }
            if left == 0 {
                return;
            }
        }
    }

    /// By name, so that the table is the same in whatever order the nodes have come.
    fn fillers(&self) -> Vec<Filler> {
        let mut nodes = self.nodes.iter().collect::<Vec<_>>();
        nodes.sort_unstable_by_key(|&(_, name, _)| name);
        nodes.into_iter().map(|(node, name, weight)| Filler::new(node, name, weight)).collect()
    }

    fn entry(&self, key: u64) -> usize {
        below(mix(key), self.table.len())
    }
}

impl Placement for Maglev {
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused> {
        let index = self.join(node, weight)?;
        self.fill();
        Ok(index)
    }

    fn add_all(&mut self, nodes: &[(&str, u32)]) -> Result<(), Rejected> {
        let joined = one_by_one(nodes, |node, weight| self.join(node, weight));
        self.fill();
        joined
    }

    fn remove(&mut self, node: &str) -> bool {
        let removed = self.nodes.remove(node).is_some();
        if removed {
            self.fill();
        }
        removed
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn free(&self) -> usize {
        MOST - self.nodes.count()
    }

    fn place(&self, key: u64) -> Option<NodeIndex> {
        self.table.get(self.entry(key)).map(|&node| NodeIndex(node.into()))
    }

    fn successors(&self, key: u64, visit: &mut Visit<'_>) {
        let (before, after) = self.table.split_at(self.entry(key));
        let owners = after.iter().chain(before).map(|&node| NodeIndex(node.into()));
        succession::along(owners, &self.nodes, visit);
    }

    fn octets(&self) -> usize {
        self.table.capacity() * size_of::<u16>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(weights: &[u32]) -> Vec<usize> {
        let mut maglev = Maglev::default();
        for (number, &weight) in weights.iter().enumerate() {
            maglev.add(&format!("node-{number}"), weight).unwrap();
        }
        let count = |node| maglev.table.iter().filter(|&&entry| usize::from(entry) == node).count();
        (0..weights.len()).map(count).collect()
    }

    #[test]
    fn entries_of_two_nodes_differ_by_one_at_most() {
        for nodes in [1, 2, 3, 6, 10, 100] {
            let entries = entries(&vec![1; nodes]);
            assert_eq!(entries.iter().sum::<usize>(), ENTRIES);
            assert!(entries.iter().all(|&count| count.abs_diff(ENTRIES / nodes) <= 1));
        }
    }

    #[test]
    fn entries_are_in_proportion_to_weights() {
        let entries = entries(&[1, 2, 4, 1]);
        let ideal = [1, 2, 4, 1].map(|weight| ENTRIES * weight / 8);
        for (count, ideal) in entries.iter().zip(ideal) {
            assert!(count.abs_diff(ideal) <= 2, "{entries:?} for {ideal:?}");
        }
    }

    #[test]
    fn beyond_a_hundredth_of_the_entries_there_is_no_room() {
        let mut maglev = Maglev::default();
        for number in 0..MOST {
            maglev.nodes.add(&number.to_string(), 1).unwrap();
        }
        assert_eq!(maglev.add("one more", 1), Err(Refused::Full { free: 0 }));
    }
}
