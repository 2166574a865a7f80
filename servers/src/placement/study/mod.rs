//! What `servers place` finds out about the methods.
//!
//! ```text
//! keys ──┬── shares   how many keys each node gets, beside the exact share
//!        ├── moves    which keys move when a node comes or goes
//!        ├── costs    what a look-up takes, a set-up, and the memory
//!        └── slots    what is in each slot of a ring
//! names ──── successors   who has a name, and who takes over from whom
//! ```

pub mod costs;
pub mod keys;
pub mod moves;
pub mod shares;
pub mod slots;
pub mod successors;

use anyhow::Context;

use super::{Choice, Method, NodeIndex, Placement, Shape};

/// Which methods, with how many nodes, for which keys.
#[derive(Debug)]
pub struct Study {
    /// The methods.
    pub methods: Vec<&'static Method>,
    /// Numbers of nodes.
    pub nodes: Vec<u32>,
    /// How many keys.
    pub keys: u32,
    /// Where they come from.
    pub seed: u64,
    /// The measures of the methods that have any.
    pub shape: Shape,
}

impl Study {
    fn keys(&self) -> Vec<u64> {
        keys::drawn(self.seed, self.keys)
    }

    /// Every method with every number of nodes.
    fn cells(&self) -> impl Iterator<Item = (&'static Method, u32)> {
        self.methods.iter().flat_map(|&method| self.nodes.iter().map(move |&nodes| (method, nodes)))
    }

    /// Nodes `Server-1`, `Server-2`, … placed by a method.
    fn placed(&self, method: &Method, nodes: u32) -> anyhow::Result<Box<dyn Placement>> {
        let mut placement = (method.new)(&self.shape);
        let names = names(nodes);
        let added = placement.add_all(&of_weight_one(&names));
        added.with_context(|| format!("{} with {nodes} nodes", method.name))?;
        Ok(placement)
    }
}

fn name(number: u32) -> String {
    format!("Server-{number}")
}

fn names(count: u32) -> Vec<String> {
    (1..=count).map(name).collect()
}

fn of_weight_one(names: &[String]) -> Vec<(&str, u32)> {
    names.iter().map(|name| (name.as_str(), 1)).collect()
}

/// The node of each key, in their order. Where loads count, each key that was placed is one.
fn place(method: &Method, placement: &dyn Placement, keys: &[u64]) -> Vec<Option<NodeIndex>> {
    match method.choice {
        Choice::Key => keys.iter().map(|&key| placement.place(key)).collect(),
        Choice::Load(bound) => {
            let mut loads = vec![0_u64; placement.nodes().span()];
            let place = |(total, &key): (u64, _)| {
                let node = bound.place(placement, key, total, |node| loads[node.place()])?;
                loads[node.place()] += 1;
                Some(node)
            };
            (0..).zip(keys).map(place).collect()
        }
    }
}

/// How many of them each node has.
fn tally(nodes: usize, placed: impl Iterator<Item = Option<NodeIndex>>) -> Vec<u64> {
    let mut counts = vec![0; nodes];
    placed.flatten().for_each(|node| counts[node.place()] += 1);
    counts
}

/// As many digits as mean anything.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
