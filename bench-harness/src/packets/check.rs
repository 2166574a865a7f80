//! A row of `checks.csv`: whether what was counted is what had to come out.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// Whether a statement is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Held,
    /// It is not.
    Broken,
    /// It could not be asked.
    Skipped,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "BROKEN",
            Self::Skipped => "skipped",
        }
    }
}

/// A statement and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at, such as the filter.
    pub subject: String,
    /// How it was done, such as native.
    pub way: String,
    /// What has to be so.
    pub statement: String,
    /// Whether it is.
    pub verdict: Verdict,
    /// The number that has to come out.
    pub expected: String,
    /// The one that did; or why there is none.
    pub found: String,
}

/// Statements about one subject, done in one way.
#[derive(Debug)]
pub struct Checks<'a> {
    subject: &'a str,
    way: &'a str,
    rows: Vec<Check>,
}

impl<'a> Checks<'a> {
    /// None yet.
    #[must_use]
    pub fn of(subject: &'a str, way: &'a str) -> Self {
        Self { subject, way, rows: Vec::new() }
    }

    /// Two numbers have to be the same.
    pub fn same<T: PartialEq + Display>(&mut self, statement: &str, expected: T, found: T) {
        self.push(statement, expected == found, &expected, &found);
    }

    /// A number must not be above another.
    pub fn at_most<T: PartialOrd + Display>(&mut self, statement: &str, most: T, found: T) {
        self.push(statement, found <= most, &format!("at most {most}"), &found);
    }

    /// A number must not be below another.
    pub fn at_least<T: PartialOrd + Display>(&mut self, statement: &str, least: T, found: T) {
        self.push(statement, found >= least, &format!("at least {least}"), &found);
    }

    fn push(&mut self, statement: &str, held: bool, expected: &dyn Display, found: &dyn Display) {
        let verdict = if held { Verdict::Held } else { Verdict::Broken };
        let (expected, found) = (expected.to_string(), found.to_string());
        self.rows.push(self.row(statement, verdict, expected, found));
    }

    fn row(&self, what: &str, verdict: Verdict, expected: String, found: String) -> Check {
        let (subject, way) = (self.subject.to_owned(), self.way.to_owned());
        Check { subject, way, statement: what.to_owned(), verdict, expected, found }
    }

    /// Those that were made; or one row that says why there are none.
    #[must_use]
    pub fn or_skipped(mut self, done: anyhow::Result<()>) -> Vec<Check> {
        if let Err(reason) = done {
            let reason = format!("{reason:#}");
            self.rows.push(self.row("it can be asked", Verdict::Skipped, String::new(), reason));
        }
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_off_breaks_its_statement_and_no_other() {
        let mut checks = Checks::of("filter", "native");
        checks.same("no even counter passes", 0, 1);
        checks.at_most("never above capacity", 5, 5);
        checks.at_least("all are handled", 10, 9);
        let rows = checks.or_skipped(Ok(()));
        let verdicts: Vec<_> = rows.iter().map(|row| row.verdict).collect();
        assert_eq!(verdicts, [Verdict::Broken, Verdict::Held, Verdict::Broken]);
        assert_eq!((rows[0].expected.as_str(), rows[0].found.as_str()), ("0", "1"));
    }

    #[test]
    fn what_could_not_be_asked_says_why() {
        let rows = Checks::of("jobs", "generic").or_skipped(Err(anyhow::anyhow!("no such thing")));
        assert_eq!((rows[0].verdict, rows[0].found.as_str()), (Verdict::Skipped, "no such thing"));
    }
}
