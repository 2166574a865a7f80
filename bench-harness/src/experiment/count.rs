//! How many requests each connection makes, where a number decides and not a time.

use std::num::NonZeroU64;

use serde::Deserialize;

use super::condition::Condition;
use super::{Cell, Load};

/// Cells for which a smaller number of requests is enough.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fewer {
    /// The condition that such a cell fulfils.
    #[serde(rename = "where")]
    pub condition: Condition,
    /// Requests of each connection.
    pub count: NonZeroU64,
    /// Why that is enough.
    pub because: String,
}

impl Load {
    /// Requests of each connection in this cell: what the first of the conditions says that it
    /// fulfils, or else what holds for all. `None` when a time decides.
    #[must_use]
    pub fn count_of(&self, cell: &Cell) -> Option<u64> {
        let fewer = self.fewer.iter().find(|fewer| fewer.condition.holds(cell));
        Some(fewer.map_or(self.count?, |fewer| fewer.count).get())
    }

    /// The same load with a tenth of the requests, for a try.
    pub(crate) fn tenth(&mut self) {
        let tenth =
            |count: NonZeroU64| NonZeroU64::new(count.get() / 10).unwrap_or(NonZeroU64::MIN);
        self.count = self.count.map(tenth);
        self.fewer.iter_mut().for_each(|fewer| fewer.count = tenth(fewer.count));
    }
}
