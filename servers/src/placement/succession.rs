//! The order of succession along a circle: the nodes as they are met, each once.

use std::ops::ControlFlow;

use super::{NodeIndex, Nodes, Visit};

/// Visits the nodes that `along` meets, each once, until `visit` breaks or all have been met.
pub(crate) fn along(
    mut owners: impl Iterator<Item = NodeIndex>,
    nodes: &Nodes,
    visit: &mut Visit<'_>,
) {
    // Mostly the first is taken: nothing is allocated before a second one is asked for.
    let Some(first) = owners.next() else { return };
    if visit(first).is_break() {
        return;
    }
    let mut met = vec![false; nodes.span()];
    met[first.place()] = true;
    let mut left = nodes.count() - 1;
    while left > 0
        && let Some(node) = owners.next()
    {
        if !std::mem::replace(&mut met[node.place()], true) {
            left -= 1;
            if visit(node) == ControlFlow::Break(()) {
                return;
            }
        }
    }
}
