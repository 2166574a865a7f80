//! Who is in: names, weights, and a number for each.
//!
//! A node keeps its number as long as it is in. A new one gets the smallest number that is free, so
//! the numbers stay small, and one that is lost is given out again.

use std::error::Error;
use std::fmt;

/// The largest weight of a node.
pub const WEIGHT_MAX: u32 = 256;
/// The most nodes of any method.
pub(crate) const NODES_MAX: usize = 4096;

/// The number of a node, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// As a place in a list.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

/// Why a node is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is room for `free` more of weight 1.
    Full {
        /// Nodes of weight 1.
        free: usize,
    },
    /// One of that name is in already.
    Taken,
    /// A weight of 0, or above [`WEIGHT_MAX`].
    Weight(u32),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { free } => write!(f, "there is room for {free} more nodes of weight 1"),
            Self::Taken => write!(f, "a node of that name is in already"),
            Self::Weight(weight) => write!(f, "a weight is 1 to {WEIGHT_MAX}, not {weight}"),
        }
    }
}

impl Error for Refused {}

/// Which of several nodes is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place among them, from 0 on.
    pub place: usize,
    /// Why.
    pub why: Refused,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: {}", self.place + 1, self.why)
    }
}

/// Its words have those of why in them; as a source, that would be told a second time.
impl Error for Rejected {}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    weight: u32,
}

/// The nodes by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes(Vec<Option<Node>>);

impl Nodes {
    /// Takes one in.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(crate) fn add(&mut self, name: &str, weight: u32) -> Result<NodeIndex, Refused> {
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(Refused::Weight(weight));
        }
        if self.find(name).is_some() {
            return Err(Refused::Taken);
        }
        let place = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        let index = u32::try_from(place).ok().filter(|_| place < NODES_MAX);
        let index = index.ok_or(Refused::Full { free: 0 })?;
        self.0.resize(self.0.len().max(place + 1), None);
        self.0[place] = Some(Node { name: name.to_owned(), weight });
        Ok(NodeIndex(index))
    }

    /// Lets one go, and says which number is free now.
    pub(crate) fn remove(&mut self, name: &str) -> Option<NodeIndex> {
        let index = self.find(name)?;
        self.0[index.place()] = None;
        while matches!(self.0.last(), Some(None)) {
            self.0.pop();
        }
        Some(index)
    }

    /// The number of the node of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.iter().find(|(_, node, _)| *node == name).map(|(index, ..)| index)
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, index: NodeIndex) -> Option<&str> {
        self.0.get(index.place())?.as_ref().map(|node| node.name.as_str())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// How many more there may be.
    pub(crate) fn free(&self) -> usize {
        NODES_MAX - self.count()
    }

    /// One more than the highest number.
    #[must_use]
    pub const fn span(&self) -> usize {
        self.0.len()
    }

    /// Number, name and weight of each, by number.
    pub fn iter(&self) -> impl Iterator<Item = (NodeIndex, &str, u32)> {
        (0..).zip(&self.0).filter_map(|(index, node)| {
            node.as_ref().map(|node| (NodeIndex(index), node.name.as_str(), node.weight))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Nodes {
        let mut nodes = Nodes::default();
        assert_eq!(["a", "b", "c"].map(|name| nodes.add(name, 1).unwrap().0), [0, 1, 2]);
        nodes
    }

    #[test]
    fn the_smallest_free_number_is_given_out_again() {
        let mut nodes = three();
        assert_eq!(nodes.remove("a"), Some(NodeIndex(0)));
        assert_eq!(nodes.remove("c"), Some(NodeIndex(2)));
        assert_eq!((nodes.count(), nodes.span()), (1, 2));
        assert_eq!(["d", "e"].map(|name| nodes.add(name, 1).unwrap().0), [0, 2]);
        assert_eq!(nodes.name(NodeIndex(0)), Some("d"));
        assert_eq!(nodes.remove("a"), None);
    }

    #[test]
    fn a_name_is_taken_once_and_a_weight_has_a_range() {
        let mut nodes = three();
        assert_eq!(nodes.add("b", 1), Err(Refused::Taken));
        assert_eq!(nodes.add("d", 0), Err(Refused::Weight(0)));
        assert_eq!(nodes.add("d", WEIGHT_MAX + 1), Err(Refused::Weight(257)));
        assert_eq!(nodes, three());
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let mut nodes = Nodes::default();
        for number in 0..NODES_MAX {
            nodes.add(&number.to_string(), 1).unwrap();
        }
        assert_eq!(nodes.add("one more", 1), Err(Refused::Full { free: 0 }));
        assert_eq!((nodes.free(), nodes.span()), (0, NODES_MAX));
    }
}
