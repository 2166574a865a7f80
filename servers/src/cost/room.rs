//! How many connections can be watched, and what limits that.

use std::fmt;
use std::fs;

use serde::Serialize;

use super::ACTIVE_MAX;
use crate::tables;

/// Descriptors for the poller, a listener, and what a thread opens for a moment.
const SPARE: usize = 32;

/// Which descriptor tables watched descriptors may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// That of the thread that waits, because each wait names them.
    OneTable,
    /// Any: the kernel has been told of the files.
    AnyTable,
}

/// Why a condition can't be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Skip {
    /// The poller can't hold descriptors from this number on.
    Ceiling {
        /// The number.
        ceiling: usize,
        /// Connections with lower numbers.
        room: usize,
    },
    /// The descriptors must be in one table, and it is full.
    Table {
        /// How many descriptors a table holds.
        table: usize,
        /// Connections that it has room for.
        room: usize,
    },
}

impl Skip {
    /// The word for it in a table.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ceiling { .. } => "ceiling",
            Self::Table { .. } => "table",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ceiling { ceiling, room } => {
                write!(f, "descriptors must be below {ceiling}: {room} connections are, here")
            }
            Self::Table { table, room } => write!(
                f,
                "each wait names its descriptors, so they must be in the caller's table; that \
                 holds {table} (RLIMIT_NOFILE), of which {room} are left for connections"
            ),
        }
    }
}

/// How many connections there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    reach: Reach,
    table: usize,
    /// Near ends in the table of the thread that waits, beside the far ends of the active ones.
    pub(crate) here: usize,
    /// Connections, with both ends, in a table of their own.
    pub(crate) each: usize,
}

impl Room {
    /// Looks at this process, and raises its soft limit to the hard one.
    pub(crate) fn look(reach: Reach) -> Self {
        let table = usize::try_from(tables::raise_limit()).unwrap_or(usize::MAX);
        let open = fs::read_dir("/proc/self/fd").map_or(SPARE, Iterator::count);
        Self::of(reach, table, open)
    }

    fn of(reach: Reach, table: usize, open: usize) -> Self {
        let free = table.saturating_sub(open + SPARE);
        Self { reach, table, here: free.saturating_sub(ACTIVE_MAX), each: (free / 2).max(1) }
    }

    /// How many connections each further table is to have, so that there are `count`.
    pub(crate) fn elsewhere(&self, count: usize) -> Vec<usize> {
        if self.reach == Reach::OneTable {
            return Vec::new();
        }
        (0..count).step_by(self.each).map(|done| self.each.min(count - done)).collect()
    }

    /// Why there is no room for so many.
    pub(crate) fn end(&self, watched: usize) -> Option<Skip> {
        let Self { reach, table, here: room, .. } = *self;
        (reach == Reach::OneTable && watched > room).then_some(Skip::Table { table, room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_ends_what_must_be_in_it_and_nothing_else() {
        let one = Room::of(Reach::OneTable, 20_000, 10);
        assert_eq!(one.here, 20_000 - 10 - SPARE - ACTIVE_MAX);
        assert_eq!((one.end(one.here), one.elsewhere(7)), (None, vec![]));
        let skip = one.end(one.here + 1).unwrap();
        assert_eq!(skip.word(), "table");
        assert!(skip.to_string().contains("20000"), "{skip}");
        assert_eq!(Room::of(Reach::AnyTable, 20_000, 10).end(100_000), None);
    }

    #[test]
    fn what_one_table_cannot_hold_is_spread_over_several() {
        let any = Room::of(Reach::AnyTable, 20_000, 10);
        let shares = any.elsewhere(80_000);
        assert_eq!((shares.iter().sum::<usize>(), shares.len()), (80_000, 9));
        assert!(shares.iter().all(|&share| 2 * share + 10 + SPARE <= 20_000));
        assert_eq!(any.elsewhere(0), Vec::<usize>::new());
    }

    #[test]
    fn a_tiny_table_is_no_reason_to_panic() {
        let tiny = Room::of(Reach::AnyTable, 16, 10);
        assert_eq!((tiny.here, tiny.elsewhere(3).len()), (0, 3));
    }
}
