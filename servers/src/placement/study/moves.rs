//! Which keys move when a node comes or goes.

use serde::Serialize;

use super::{Study, name, place};
use crate::placement::{Method, NodeIndex, Placement};

/// One node that came or went.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// How many nodes there were before.
    pub nodes: u32,
    /// `add` or `remove`.
    pub change: &'static str,
    /// Which node came or went.
    pub node: String,
    /// How many keys were placed.
    pub keys: u32,
    /// How many of them have another node than before.
    pub moved: usize,
    /// How many must: those that the node has now, or had before.
    pub unavoidable: usize,
}

/// The fields of a row.
pub const HEAD: [&str; 7] = ["method", "nodes", "change", "node", "keys", "moved", "unavoidable"];

/// A row for a node more, and one for each node less.
///
/// # Errors
/// When a method has no room for so many nodes and one more.
pub fn rows(study: &Study) -> anyhow::Result<Vec<Row>> {
    let keys = study.keys();
    let mut rows = Vec::new();
    for (method, nodes) in study.cells() {
        let placement = study.placed(method, nodes)?;
        let with = Placed { method, keys: &keys, nodes, before: place(method, &*placement, &keys) };
        let more = study.placed(method, nodes + 1)?;
        rows.push(with.compared("add", nodes + 1, &*more));
        for number in 1..=nodes {
            let mut fewer = study.placed(method, nodes)?;
            fewer.remove(&name(number));
            rows.push(with.compared("remove", number, &*fewer));
        }
    }
    Ok(rows)
}

/// Keys, and where they are before a change.
struct Placed<'a> {
    method: &'static Method,
    keys: &'a [u64],
    nodes: u32,
    before: Vec<Option<NodeIndex>>,
}

impl Placed<'_> {
    fn compared(&self, change: &'static str, number: u32, changed: &dyn Placement) -> Row {
        let after = place(self.method, changed, self.keys);
        let it = Some(NodeIndex(number - 1));
        let pairs = || self.before.iter().zip(&after);
        Row {
            method: self.method.name,
            nodes: self.nodes,
            change,
            node: name(number),
            keys: self.keys.len() as u32,
            moved: pairs().filter(|(before, after)| before != after).count(),
            unavoidable: pairs()
                .filter(|&(before, after)| (*before == it) != (*after == it))
                .count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{METHODS, Shape, method};

    fn rows_of(methods: Vec<&'static Method>, nodes: u32) -> Vec<Row> {
        let shape = Shape::default();
        rows(&Study { methods, nodes: vec![nodes], keys: 2_000, seed: 1, shape }).unwrap()
    }

    #[test]
    fn what_must_move_moves_and_only_some_methods_move_more() {
        for row in rows_of(METHODS.iter().collect(), 4) {
            assert!(row.moved >= row.unavoidable && row.unavoidable > 0, "{row:?}");
            let least = !["maglev", "jump", "bounded"].contains(&row.method);
            assert!(!least || row.moved == row.unavoidable, "{row:?}");
        }
    }

    #[test]
    fn there_is_a_row_for_one_more_and_for_each_one_less() {
        let rows = rows_of(vec![method("jump").unwrap()], 3);
        let changes: Vec<_> = rows.iter().map(|row| (row.change, row.node.as_str())).collect();
        let gone = ["Server-1", "Server-2", "Server-3"].map(|node| ("remove", node));
        assert_eq!(changes, [&[("add", "Server-4")][..], &gone].concat());
        // Only the last bucket can go alone.
        assert_eq!(rows[3].moved, rows[3].unavoidable);
        assert!(rows[1].moved > rows[1].unavoidable);
    }
}
