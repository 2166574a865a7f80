//! Which node a key belongs to: consistent hashing, one method a file.
//!
//! A balancer that sends the same key to the same node lets that node keep what it knows about the
//! key: a session, a cache. `hash(key) % nodes` does so until the number of nodes changes; then it
//! moves nearly all keys. A *consistent* method moves only those that must move: when a node comes,
//! the keys that it gets; when a node goes, the keys that it had.
//!
//! The methods differ in how evenly they share the keys out, in what a look-up costs, in what they
//! keep in memory, and in which changes of membership they bear. [`METHODS`] is the table of them
//! all: a new method is one file here and one line there.
//!
//! Every method hashes the key itself. Keys may be numbers in a row, and addresses as they are.

mod anchor;
pub mod bounded;
mod circle;
pub mod command;
mod jump;
mod ketama;
mod maglev;
pub mod mix;
mod multi_probe;
mod nodes;
mod probing;
#[cfg(test)]
mod properties;
mod rendezvous;
mod ring;
mod ring_given;
mod ring_modified;
mod ring_sha256;
pub mod study;
mod succession;
#[cfg(test)]
mod vectors;

use std::fmt::Debug;
use std::ops::ControlFlow;

pub use bounded::Bound;
pub use nodes::{NodeIndex, Nodes, Refused, Rejected, WEIGHT_MAX};
pub use probing::Probing;
pub use ring::{Slots, Stand};

/// A set of nodes, and the node of each key.
pub trait Placement: Debug + Duplicate + Send + Sync {
    /// Takes a node in. Its share of the keys is in proportion to its weight, 1 to [`WEIGHT_MAX`].
    ///
    /// # Errors
    /// When there is no room for it, when its name is taken, or its weight is out of range.
    fn add(&mut self, node: &str, weight: u32) -> Result<NodeIndex, Refused>;

    /// Takes nodes in, with their weights, as [`add`](Self::add) does one after the other. A method
    /// that goes over everything it has at each change does so only once here.
    ///
    /// # Errors
    /// At the first that is refused: those before it are in, those after it are not.
    fn add_all(&mut self, nodes: &[(&str, u32)]) -> Result<(), Rejected> {
        one_by_one(nodes, |node, weight| self.add(node, weight))
    }

    /// Lets a node go. False when there is none of that name.
    fn remove(&mut self, node: &str) -> bool;

    /// Who is in.
    fn nodes(&self) -> &Nodes;

    /// How many more nodes of weight 1 there is room for.
    fn free(&self) -> usize;

    /// The node of a key. None when there are no nodes.
    fn place(&self, key: u64) -> Option<NodeIndex>;

    /// Visits the nodes in the order in which they take the key over: each once, first the one that
    /// [`place`](Self::place) says, until `visit` breaks. With it a balancer goes on when a node
    /// fails or is full. What comes after the first is only worked out when it is asked for.
    fn successors(&self, key: u64, visit: &mut Visit<'_>);

    /// What it has allocated for the nodes, in octets, without their names.
    fn octets(&self) -> usize;

    /// Its slots, where it is a ring of slots.
    fn slots(&self) -> Option<&dyn Slots> {
        None
    }

    /// All nodes in the order in which they take the key over.
    fn order(&self, key: u64) -> Vec<NodeIndex> {
        let mut order = Vec::with_capacity(self.nodes().count());
        self.successors(key, &mut |node| {
            order.push(node);
            ControlFlow::Continue(())
        });
        order
    }
}

/// Takes nodes in by `add`, up to the first that it refuses.
fn one_by_one(
    nodes: &[(&str, u32)],
    mut add: impl FnMut(&str, u32) -> Result<NodeIndex, Refused>,
) -> Result<(), Rejected> {
    for (place, &(node, weight)) in nodes.iter().enumerate() {
        add(node, weight).map_err(|why| Rejected { place, why })?;
    }
    Ok(())
}

/// Sees nodes in the order of succession, and says whether to go on.
pub type Visit<'a> = dyn FnMut(NodeIndex) -> ControlFlow<()> + 'a;

/// What can be copied without knowing what it is.
pub trait Duplicate {
    /// A copy, to be changed while others go on to look keys up in this one.
    fn duplicate(&self) -> Box<dyn Placement>;
}

impl<P: Placement + Clone + 'static> Duplicate for P {
    fn duplicate(&self) -> Box<dyn Placement> {
        Box::new(self.clone())
    }
}

/// One way of placing keys.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// Makes one without nodes.
    pub new: fn(&Shape) -> Box<dyn Placement>,
    /// What a choice goes by.
    pub choice: Choice,
}

/// What the choice of a node goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// By the key alone.
    Key,
    /// By the key and by what the nodes have to do already: see [`Bound::place`].
    Load(Bound),
}

/// The measures of those methods that have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Slots of a ring.
    pub slots: usize,
    /// Copies of each node on such a ring.
    pub copies: usize,
    /// Where a copy goes whose slot is taken.
    pub probing: Probing,
    /// Nodes that there may ever be, for those methods that must know this first.
    pub most: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { slots: 512, copies: 9, probing: Probing::Linear, most: 128 }
    }
}

/// All methods.
pub const METHODS: &[Method] = &[
    ring_given::METHOD,
    ring_modified::METHOD,
    ring_sha256::METHOD,
    ketama::METHOD,
    multi_probe::METHOD,
    maglev::METHOD,
    rendezvous::METHOD,
    jump::METHOD,
    anchor::METHOD,
    bounded::METHOD,
];

/// The method of that name.
#[must_use]
pub fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// The names of all methods.
pub fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|method| method.name)
}
