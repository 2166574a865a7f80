//! What the load generator says against the trials of a run, and which trials to mark for it.
//!
//! A mark on every row says no more than one on none. So a reason that most trials share is told
//! once, and only what sets a trial apart is marked.

use std::collections::BTreeMap;

use crate::judge::check;
use crate::record::Row;
use crate::stats::cell::Point;

/// Checks of the load generator that failed, over all trials of a run that have a number.
#[derive(Clone, Debug, Default)]
pub struct Doubts<'a> {
    /// In how many trials each failed.
    failed: BTreeMap<&'a str, usize>,
    trials: usize,
}

impl<'a> Doubts<'a> {
    /// Counts the checks that failed in these trials.
    #[must_use]
    pub fn of(rows: &'a [Row]) -> Self {
        let mut doubts = Self::default();
        for row in rows.iter().filter(|row| row.outcome.measured()) {
            doubts.trials += 1;
            row.reasons().for_each(|name| *doubts.failed.entry(name).or_default() += 1);
        }
        doubts
    }

    /// Each check that failed, and in how many trials it did.
    pub fn failed(&self) -> impl Iterator<Item = (&'a str, usize)> {
        self.failed.iter().map(|(name, count)| (*name, *count))
    }

    /// How many trials have a number.
    #[must_use]
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Whether most trials share this doubt.
    #[must_use]
    pub fn shared(&self, name: &str) -> bool {
        self.failed.get(name).is_some_and(|count| 2 * count > self.trials)
    }

    /// Whether something speaks against any trial of a cell that speaks neither against most
    /// others nor is said in another way.
    #[must_use]
    pub fn mark(&self, point: &Point<'_>) -> bool {
        point.rows.iter().any(|row| self.reasons(row).next().is_some())
    }

    /// The reasons to mark a trial. One that has a mark already needs no second.
    pub fn reasons<'b>(&'b self, row: &'b Row) -> impl Iterator<Item = &'b str> {
        let told = !row.outcome.full() || row.disturbed();
        let names = row.reasons().filter(move |_| !told);
        names.filter(|name| !self.shared(name) && !elsewhere(row, name))
    }
}

/// What the load generator's CPU means for a closed loop is in `limited_by`.
fn elsewhere(row: &Row, name: &str) -> bool {
    name == check::BUSY && row.rate_asked_per_s.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::App;
    use crate::record::Outcome;
    use crate::stats::cell::points;

    fn row(model: &str, reasons: &str) -> Row {
        let (model, app, outcome) = (model.into(), "echo".into(), Outcome::Ok);
        let verdict_reasons = Some(reasons.to_owned()).filter(|text| !text.is_empty());
        Row { model, app, outcome, verdict_reasons, ..Row::default() }
    }

    fn marked(rows: &[Row]) -> Vec<&str> {
        let doubts = Doubts::of(rows);
        let points = points(rows, App::Echo, &[]);
        points.iter().filter(|point| doubts.mark(point)).map(|point| point.model).collect()
    }

    #[test]
    fn what_most_trials_share_marks_none_of_them() {
        let rows = [row("a", "CPU delay"), row("b", "drift; CPU delay"), row("c", "")];
        assert_eq!(marked(&rows), ["b"]);
        assert_eq!(marked(&rows[1..]), ["b"], "one of two is not most");
        assert!(Doubts::of(&rows).shared("CPU delay") && !Doubts::of(&rows).shared("drift"));
    }

    #[test]
    fn what_an_outcome_or_a_limit_says_is_not_said_again() {
        let starved = Row { outcome: Outcome::Starved, ..row("a", "starvation") };
        let failed = Row { outcome: Outcome::Failed, ..row("d", "drift") };
        let disturbed = Row { host_others_cpus: Some(1.0), ..row("c", "gaps") };
        let rows = [starved, row("b", "client CPU"), disturbed, failed];
        assert_eq!(marked(&rows), [""; 0]);
        assert_eq!(Doubts::of(&rows).trials(), 3);
    }

    #[test]
    fn in_an_open_loop_a_busy_generator_is_a_reason_to_doubt_times() {
        let open = Row { rate_asked_per_s: Some(9), ..row("a", "client CPU") };
        assert_eq!(marked(&[open, row("b", ""), row("c", "")]), ["a"]);
    }
}
