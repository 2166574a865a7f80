//! Which keys move when a node comes or goes: those that must, and those that need not.
//!
//! A key must move when the node that has come has it now, or when the one that has gone had it. A
//! method that moves no other key is *minimally disruptive* (Thaler and Ravishankar, 1998).

use super::row::{Change, Move};
use crate::report::number::three;

/// What one change moves under one method, in shares of all keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// The method.
    pub method: String,
    /// What happened.
    pub change: Change,
    /// To whom.
    pub node: String,
    /// Keys that must move.
    pub must: f64,
    /// Keys that move and need not.
    pub need_not: f64,
}

/// What one method moves with so many nodes: when that one goes whose going moves the most, and
/// when one more comes.
#[must_use]
pub fn of(moves: &[Move], method: &str, nodes: u32) -> Vec<Moved> {
    let most = |change| {
        let own = moves.iter().filter(|row| row.method == method && row.nodes == nodes);
        own.filter(|row| row.change == change).max_by_key(|row| row.moved)
    };
    [Change::Remove, Change::Add].into_iter().filter_map(most).map(Moved::from).collect()
}

impl From<&Move> for Moved {
    fn from(row: &Move) -> Self {
        let share = |count: u64| count as f64 / f64::from(row.keys);
        Self {
            method: row.method.clone(),
            change: row.change,
            node: row.node.clone(),
            must: share(row.unavoidable),
            need_not: share(row.moved.saturating_sub(row.unavoidable)),
        }
    }
}

/// Who moves keys that need not move, of what this change moved among so many nodes; nothing where
/// nobody was asked.
#[must_use]
pub fn needless<'a>(
    moved: impl Iterator<Item = &'a Moved>,
    change: Change,
    nodes: u32,
) -> Option<String> {
    let (few, more): (Vec<_>, Vec<_>) = moved.partition(|moved| moved.need_not <= 0.0);
    let percent = |moved: &&Moved| format!("{} {} %", moved.method, three(100.0 * moved.need_not));
    let list = more.iter().map(percent).collect::<Vec<_>>().join(", ");
    let (when, own) = match change {
        Change::Remove => (format!("When one of {nodes} servers goes"), "its keys only"),
        Change::Add => (format!("When one more comes to {nodes} servers"), "only the keys it gets"),
    };
    let worst = match change {
        Change::Remove => format!("at worst {list} of all"),
        Change::Add => format!("{list} of all"),
    };
    match (few.len(), more.len()) {
        (0, 0) => None,
        (_, 0) => Some(format!("{when}, no method moves more keys than it must")),
        (0, _) => Some(format!("{when}, keys move that need not: {worst}")),
        (1, _) => Some(format!("{when}, 1 method moves {own}; {OTHERS}: {worst}")),
        (few, _) => Some(format!("{when}, {few} methods move {own}; {OTHERS}: {worst}")),
    }
}

const OTHERS: &str = "others also move keys that need not";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, node: &str, change: Change, moved: u64, unavoidable: u64) -> Move {
        let (method, node) = (method.into(), node.into());
        Move { method, nodes: 2, change, node, keys: 100, moved, unavoidable }
    }

    fn said(moves: &[Move], change: Change) -> Option<String> {
        let all: Vec<_> = ["jump", "anchor"].iter().flat_map(|name| of(moves, name, 2)).collect();
        needless(all.iter().filter(|moved| moved.change == change), change, 2)
    }

    #[test]
    fn of_those_who_go_the_one_that_moves_the_most_is_told_and_the_one_that_comes() {
        let moves = [
            row("jump", "Server-3", Change::Add, 36, 33),
            row("jump", "Server-1", Change::Remove, 75, 50),
            row("jump", "Server-2", Change::Remove, 50, 50),
        ];
        let found = of(&moves, "jump", 2);
        let told = |n: usize| (found[n].node.as_str(), found[n].must, found[n].need_not);
        assert_eq!((told(0), told(1)), (("Server-1", 0.5, 0.25), ("Server-3", 0.33, 0.03)));
        assert_eq!(found.len(), 2);
        assert!(of(&moves, "jump", 3).is_empty() && of(&moves, "anchor", 2).is_empty());
    }

    #[test]
    fn each_change_has_its_own_sentence() {
        let moves = [
            row("jump", "Server-3", Change::Add, 33, 33),
            row("jump", "Server-1", Change::Remove, 75, 50),
            row("anchor", "Server-3", Change::Add, 34, 33),
            row("anchor", "Server-1", Change::Remove, 50, 50),
        ];
        let words = said(&moves, Change::Remove).unwrap();
        let own = "When one of 2 servers goes, 1 method moves its keys only; ";
        assert!(words.starts_with(own) && words.ends_with("at worst jump 25 % of all"), "{words}");
        let words = said(&moves, Change::Add).unwrap();
        let own = "When one more comes to 2 servers, 1 method moves only the keys it gets; ";
        assert!(
            words.starts_with(own) && words.ends_with("need not: anchor 1 % of all"),
            "{words}"
        );
    }

    #[test]
    fn where_all_or_none_do_nobody_is_set_against_others() {
        let with = |moved| [row("jump", "Server-1", Change::Remove, moved, 50)];
        let words = said(&with(50), Change::Remove).unwrap();
        assert_eq!(words, "When one of 2 servers goes, no method moves more keys than it must");
        let words = said(&with(60), Change::Remove).unwrap();
        assert!(words.ends_with("goes, keys move that need not: at worst jump 10 % of all"));
        assert_eq!(said(&with(60), Change::Add), None);
    }
}
