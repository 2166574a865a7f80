//! The lines that `servers place --format csv` prints.

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// `--show shares`: one node under one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The method.
    pub method: String,
    /// How many nodes there are.
    pub nodes: u32,
    /// This one.
    pub node: String,
    /// How many keys were placed.
    pub keys: u32,
    /// How many of them are this node's.
    pub count: u64,
    /// How many of them would be if every id came once; none where loads decide.
    pub expected: Option<f64>,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It comes.
    Add,
    /// It goes.
    Remove,
}

/// `--show moves`: one node that came or went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// The method.
    pub method: String,
    /// How many nodes there were before.
    pub nodes: u32,
    /// What happened to it.
    pub change: Change,
    /// Which node.
    pub node: String,
    /// How many keys were placed.
    pub keys: u32,
    /// How many of them have another node than before.
    pub moved: u64,
    /// How many must.
    pub unavoidable: u64,
}

/// `--show costs`: one method with so many nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The method.
    pub method: String,
    /// How many nodes there are.
    pub nodes: u32,
    /// Batches of look-ups timed.
    pub batches: u64,
    /// A quartile of a look-up, in nanoseconds.
    pub lookup_q25_ns: f64,
    /// The median.
    pub lookup_median_ns: f64,
    /// The other quartile.
    pub lookup_q75_ns: f64,
    /// Taking in all nodes, in microseconds.
    pub build_us: f64,
    /// What is kept for them, in octets.
    pub octets: u64,
}

/// `--show slots`: one slot of a ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// The method.
    pub method: String,
    /// How many nodes there are.
    pub nodes: u32,
    /// The slot.
    pub slot: usize,
    /// How many of all ids meet it.
    pub ids: u64,
    /// The node that stands there.
    pub node: Option<String>,
    /// Which of its copies.
    pub copy: Option<u64>,
    /// The slot that this copy would have liked.
    pub home: Option<usize>,
    /// The node that answers whoever meets this slot.
    pub answers: Option<String>,
}

/// Reads what the servers printed.
///
/// # Errors
/// When it is something else.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    rows.collect::<Result<_, _>>().context("reading `servers place --format csv`")
}

/// The number of a node, from 0 on, by its name: `Server-3` is 2.
#[must_use]
pub fn number(node: &str) -> Option<usize> {
    node.strip_prefix("Server-")?.parse::<usize>().ok()?.checked_sub(1)
}

/// The methods, in the order of the rows.
#[must_use]
pub fn methods(shares: &[Share]) -> Vec<&str> {
    let mut names: Vec<_> = shares.iter().map(|share| share.method.as_str()).collect();
    names.dedup();
    names
}

/// The shares of a method with so many nodes, in the order of the nodes.
#[must_use]
pub fn cell<'a>(shares: &'a [Share], method: &str, nodes: u32) -> Vec<&'a Share> {
    shares.iter().filter(|share| share.method == method && share.nodes == nodes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_empty_fields_are_none() {
        let text = "method,nodes,node,keys,count,expected\nbounded,2,Server-1,10,4,\n";
        let rows: Vec<Share> = parse(text).unwrap();
        assert_eq!((rows[0].count, rows[0].expected), (4, None));
        assert!(parse::<Cost>(text).is_err());
    }

    #[test]
    fn nodes_are_numbered_by_their_names() {
        let names = ["Server-1", "Server-56", "Server-0", "Server-x", "x"];
        assert_eq!(names.map(number), [Some(0), Some(55), None, None, None]);
    }
}
