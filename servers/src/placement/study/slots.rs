//! The slots of a ring, one by one: it shows why a hash shares badly.

use anyhow::bail;
use serde::Serialize;

use super::{Study, keys};
use crate::placement::{METHODS, Placement, Slots, Stand};

/// One slot.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// How many nodes there are.
    pub nodes: u32,
    /// The slot, from 0 on.
    pub slot: usize,
    /// How many of all ids meet it.
    pub ids: u64,
    /// The node that stands there.
    pub node: Option<String>,
    /// Which of its copies, from 1 on.
    pub copy: Option<u64>,
    /// The slot that this copy would have liked: another one, where copies collide.
    pub home: Option<usize>,
    /// The node that answers whoever meets this slot.
    pub answers: Option<String>,
}

/// The fields of a row.
pub const HEAD: [&str; 8] = ["method", "nodes", "slot", "ids", "node", "copy", "home", "answers"];

/// A row a slot.
///
/// # Errors
/// When a method has no slots, or no room for so many nodes.
pub fn rows(study: &Study) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (method, nodes) in study.cells() {
        let placement = study.placed(method, nodes)?;
        let Some(slots) = placement.slots() else {
            let have = METHODS.iter().filter(|other| (other.new)(&study.shape).slots().is_some());
            let have = have.map(|other| other.name).collect::<Vec<_>>().join(", ");
            bail!("{} has no slots to show; {have} have", method.name);
        };
        rows.extend(ring(method.name, nodes, &*placement, slots));
    }
    Ok(rows)
}

fn ring(
    method: &'static str,
    nodes: u32,
    placement: &dyn Placement,
    slots: &dyn Slots,
) -> Vec<Row> {
    let name = |node| placement.nodes().name(node).map(String::from);
    let row = |(slot, (stand, ids)): (usize, (&Option<Stand>, u64))| Row {
        method,
        nodes,
        slot,
        ids,
        node: stand.and_then(|stand| name(stand.node)),
        copy: stand.map(|stand| stand.copy),
        home: stand.map(|stand| stand.home),
        answers: slots.answers(slot).and_then(name),
    };
    slots.stands().iter().zip(met(slots)).enumerate().map(row).collect()
}

/// How many of all ids meet each slot.
pub(super) fn met(slots: &dyn Slots) -> Vec<u64> {
    let mut ids = vec![0; slots.stands().len()];
    keys::IDS.for_each(|id| ids[slots.met_by(id)] += 1);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{Shape, method};

    #[test]
    fn a_ring_is_shown_slot_by_slot() {
        let (methods, nodes) = (vec![method("ring-given").unwrap()], vec![3]);
        let study = Study { methods, nodes, keys: 1, seed: 1, shape: Shape::default() };
        let rows = rows(&study).unwrap();
        assert_eq!(rows.len(), 512);
        assert_eq!(rows.iter().map(|row| row.ids).sum::<u64>(), keys::COUNT as u64);
        assert_eq!(rows.iter().filter(|row| row.node.is_some()).count(), 27);
        // Its own slot, 37, was taken; and whoever meets the last slots goes round to the first.
        let moved = &rows[38];
        assert_eq!((moved.node.as_deref(), moved.home), (Some("Server-3"), Some(37)));
        assert_eq!((&rows[511].node, rows[511].answers.as_deref()), (&None, Some("Server-1")));
        assert!(rows.iter().all(|row| row.node.is_none() || row.node == row.answers));
    }

    #[test]
    fn what_is_answered_is_what_is_placed() {
        let (methods, nodes) = (vec![method("ring-modified").unwrap()], vec![5]);
        let study = Study { methods, nodes, keys: 1, seed: 1, shape: Shape::default() };
        let (rows, placement) = (rows(&study).unwrap(), study.placed(study.methods[0], 5).unwrap());
        for id in keys::IDS.step_by(997) {
            let slot = placement.slots().unwrap().met_by(id);
            let node = placement.place(id).and_then(|node| placement.nodes().name(node));
            assert_eq!(rows[slot].answers.as_deref(), node);
        }
    }
}
