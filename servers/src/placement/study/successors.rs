//! Who answers a name, and who takes over from whom: for those who ask where a path has gone.

use serde::Serialize;

use super::{Study, keys};
use crate::placement::Placement;
use crate::placement::mix::mix_name;

/// One name under one method.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// How many nodes there are.
    pub nodes: u32,
    /// The name.
    pub name: String,
    /// Its id, the same as `servers balance --key path` gives a path of that name.
    pub id: u64,
    /// All nodes in the order in which they take it over, with a space between two. The first one
    /// has it as long as it is there.
    pub successors: String,
}

/// The fields of a row.
pub const HEAD: [&str; 5] = ["method", "nodes", "name", "id", "successors"];

/// A row a name.
///
/// # Errors
/// When a method has no room for so many nodes.
pub fn rows(study: &Study, names: &[String]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (method, nodes) in study.cells() {
        let placement = study.placed(method, nodes)?;
        rows.extend(names.iter().map(|name| {
            let id = keys::of_hash(mix_name(name));
            let successors = order(&*placement, id);
            Row { method: method.name, nodes, name: name.clone(), id, successors }
        }));
    }
    Ok(rows)
}

fn order(placement: &dyn Placement, id: u64) -> String {
    let order = placement.order(id);
    let names = order.iter().filter_map(|node| placement.nodes().name(*node));
    names.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{Shape, method};

    #[test]
    fn the_first_is_who_has_the_name_and_the_others_follow_when_it_goes() {
        for method in ["ring-modified", "ketama", "rendezvous"].map(|name| method(name).unwrap()) {
            let (methods, nodes) = (vec![method], vec![4]);
            let study = Study { methods, nodes, keys: 1, seed: 1, shape: Shape::default() };
            let paths = (0..50).map(|number| format!("/bytes/{number}")).collect::<Vec<_>>();
            for row in rows(&study, &paths).unwrap() {
                let mut placement = study.placed(method, 4).unwrap();
                let order = row.successors.split(' ').collect::<Vec<_>>();
                assert_eq!(order.len(), 4, "{row:?}");
                let home = placement.place(row.id).unwrap();
                assert_eq!(placement.nodes().name(home), Some(order[0]), "{row:?}");
                assert!(placement.remove(order[0]));
                let heir = placement.place(row.id).unwrap();
                assert_eq!(placement.nodes().name(heir), Some(order[1]), "{row:?}");
            }
        }
    }
}
