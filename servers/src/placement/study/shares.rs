//! How many keys each node gets: counted, and as it would be if every id came once.

use serde::Serialize;

use super::slots::met;
use super::{Study, keys, name, place, rounded, tally};
use crate::placement::mix::mix_pair;
use crate::placement::{Choice, Placement};

/// One node under one method.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// How many nodes there are.
    pub nodes: u32,
    /// This one.
    pub node: String,
    /// How many keys were placed.
    pub keys: u32,
    /// How many of them are this node's.
    pub count: u64,
    /// How many it would have if the keys were every id once, and then as many as `keys`: exact.
    /// None where the keys before it decide.
    pub expected: Option<f64>,
}

/// The fields of a row.
pub const HEAD: [&str; 6] = ["method", "nodes", "node", "keys", "count", "expected"];

/// A row a node.
///
/// # Errors
/// When a method has no room for so many nodes.
pub fn rows(study: &Study) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &method in &study.methods {
        let mut oracle = Oracle::default();
        for &nodes in &study.nodes {
            let placement = study.placed(method, nodes)?;
            // Keys of its own for each number of nodes, so that the counts of two of them are
            // independent of each other.
            let keys = keys::drawn(mix_pair(study.seed, nodes.into()), study.keys);
            let counts = tally(nodes as usize, place(method, &*placement, &keys).into_iter());
            let exact = (method.choice == Choice::Key).then(|| oracle.counts(&*placement));
            let expected = |number: usize| {
                let share = exact.as_ref()?[number] as f64 / keys::COUNT as f64;
                Some(rounded(share * f64::from(study.keys)))
            };
            rows.extend((1..).zip(counts).map(|(number, count)| Row {
                method: method.name,
                nodes,
                node: name(number),
                keys: study.keys,
                count,
                expected: expected(number as usize - 1),
            }));
        }
    }
    Ok(rows)
}

/// How many of all ids each node has, under one method.
#[derive(Default)]
struct Oracle {
    /// How many ids meet each slot, where there are slots: the same for any nodes.
    met: Option<Vec<u64>>,
}

impl Oracle {
    fn counts(&mut self, placement: &dyn Placement) -> Vec<u64> {
        let span = placement.nodes().span();
        let Some(slots) = placement.slots() else {
            return tally(span, keys::IDS.map(|id| placement.place(id)));
        };
        let mut counts = vec![0; span];
        for (slot, ids) in self.met.get_or_insert_with(|| met(slots)).iter().enumerate() {
            slots.answers(slot).into_iter().for_each(|node| counts[node.place()] += ids);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{Shape, method};

    fn rows_of(name: &str, nodes: &[u32]) -> Vec<Row> {
        let (methods, nodes) = (vec![method(name).unwrap()], nodes.to_vec());
        rows(&Study { methods, nodes, keys: 10_000, seed: 1, shape: Shape::default() }).unwrap()
    }

    #[test]
    fn counts_are_what_chance_makes_of_the_exact_shares() {
        for name in ["ring-given", "maglev"] {
            for row in rows_of(name, &[3, 6]) {
                let expected = row.expected.unwrap();
                let sd = (expected * (1.0 - expected / 10_000.0)).sqrt();
                assert!((row.count as f64 - expected).abs() < 5.0 * sd, "{row:?}");
            }
        }
    }

    #[test]
    fn every_key_is_counted_once_and_every_share_is_there() {
        let rows = rows_of("ring-modified", &[4]);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10_000);
        assert!((rows.iter().filter_map(|row| row.expected).sum::<f64>() - 10_000.0).abs() < 0.01);
        assert_eq!(rows.iter().map(|row| row.node.as_str()).collect::<Vec<_>>()[3], "Server-4");
    }

    #[test]
    fn where_loads_are_bounded_no_node_has_more_and_nothing_is_foretold() {
        let rows = rows_of("bounded", &[6]);
        assert!(rows.iter().all(|row| row.count <= 12_500 / 6 + 1 && row.expected.is_none()));
    }
}
