//! What was predicted, what was measured, and how the two agree: as rows, as a table for people,
//! and as a page.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use super::prediction::Prediction;
use super::seek::{End, Found, Step};
use crate::report::number::grouped;

/// How far a prediction may be off, in percent of what was measured.
pub const TOLERANCE_PERCENT: f64 = 2.0;

/// A model: a row of `limits.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The model.
    pub model: String,
    /// The app.
    pub app: String,
    /// Descriptor tables that the prediction is for.
    pub tables: u32,
    /// Limits that the servers were under, beside those of the host.
    pub under: String,
    /// The most clients that were tried.
    pub most: u64,
    /// Predicted clients.
    pub predicted: u64,
    /// The limit that was predicted to bind; empty for none.
    pub predicted_limit: String,
    /// How the prediction comes about.
    pub arithmetic: String,
    /// The most clients that were served; nothing where none were tried.
    pub measured: Option<u64>,
    /// Whether the model might serve more: it was not the model, nor a limit of its host, that
    /// ended the search.
    pub at_least: bool,
    /// The fewest clients, above those, that were not all served.
    pub failed_at: Option<u64>,
    /// What stopped it, in a word or two.
    pub stopped_by: String,
    /// What stopped it, in a sentence.
    pub explanation: String,
    /// (predicted - measured) / measured, in percent; nothing where the two can't be compared.
    pub difference_percent: Option<f64>,
    /// What raises the limit.
    pub raise: String,
    /// Steps that were made.
    pub steps: usize,
    /// How long they took.
    pub seconds: f64,
}

/// A step: a row of `steps.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// The model.
    pub model: String,
    /// The number of the step among all.
    pub step: usize,
    /// How many clients there were to be.
    pub clients: u64,
    /// How many of them were served.
    pub served: u64,
    /// What came out, in a word or two.
    pub outcome: String,
    /// What came out, in a sentence.
    pub explanation: String,
    /// How long it took.
    pub seconds: f64,
}

impl StepRow {
    /// The row of a step.
    #[must_use]
    pub fn new(model: &str, number: usize, step: &Step) -> Self {
        Self {
            model: model.into(),
            step: number,
            clients: step.clients,
            served: step.served,
            outcome: step.outcome.word().into(),
            explanation: step.outcome.explanation(),
            seconds: (step.seconds * 1e3).round() / 1e3,
        }
    }
}

impl Row {
    /// What is predicted, before anything is measured.
    #[must_use]
    pub fn predicted(prediction: &Prediction, tables: u32, most: u64) -> Self {
        Self {
            model: prediction.model.clone(),
            tables,
            most,
            predicted: prediction.clients,
            predicted_limit: prediction.binding.map_or("", |limit| limit.name()).into(),
            arithmetic: prediction.arithmetic.clone(),
            raise: prediction.raise.clone(),
            ..Self::default()
        }
    }

    /// The same with what was measured.
    #[must_use]
    pub fn measured(self, found: &Found) -> Self {
        let mut row = Self { measured: Some(found.served), ..self };
        let stopped = found.failed.as_ref().map(|step| &step.outcome);
        row.failed_at = found.failed.as_ref().map(|step| step.clients);
        (row.stopped_by, row.explanation) = match (found.end, stopped) {
            (End::Close, Some(outcome)) => (outcome.word().into(), outcome.explanation()),
            (End::Budget, _) => ("time".into(), "the time for the search was up".into()),
            (End::Most | End::Close, _) => {
                let words = format!("all of the {} that were tried were served", words(row.most));
                ("nothing".into(), words)
            }
        };
        let others = |outcome: &Outcome| matches!(outcome, Outcome::GeneratorLimit { .. });
        row.at_least = found.end != End::Close || stopped.is_some_and(others);
        // What is predicted is how many there is room for, not how fast they are served.
        let slow = |outcome: &Outcome| matches!(outcome, Outcome::LatencyObjective { .. });
        if stopped.is_some_and(slow) {
            row.raise = "nothing: the objective ends it, not a limit of the host".into();
        }
        let comparable =
            found.end != End::Budget && !stopped.is_some_and(|why| others(why) || slow(why));
        row.difference_percent = comparable.then(|| difference(row.predicted, found.served));
        row
    }

    /// Whether the prediction was wrong.
    #[must_use]
    pub fn missed(&self) -> bool {
        self.difference_percent.is_some_and(|percent| percent.abs() > TOLERANCE_PERCENT)
    }

    fn cells(&self) -> [String; 6] {
        let measured = self.measured.map_or_else(
            || "-".into(),
            |clients| format!("{}{}", if self.at_least { "≥ " } else { "" }, words(clients)),
        );
        let difference = self
            .difference_percent
            .map_or_else(|| "-".into(), |percent| format!("{percent:+.1} %"));
        let stopped = match (self.measured, self.predicted_limit.as_str()) {
            (None, "") => "nothing".into(),
            (None, limit) => limit.into(),
            (Some(_), "") => self.stopped_by.clone(),
            (Some(_), limit) if self.difference_percent.is_none() || self.at_least => {
                format!("{} (not {limit})", self.stopped_by)
            }
            (Some(_), limit) => format!("{} ({limit})", self.stopped_by),
        };
        let raise = if self.raise.is_empty() { "-".into() } else { self.raise.clone() };
        [self.model.clone(), words(self.predicted), measured, difference, stopped, raise]
    }
}

fn words(clients: u64) -> String {
    grouped(clients as f64)
}

fn difference(predicted: u64, measured: u64) -> f64 {
    let (predicted, measured) = (predicted as f64, measured as f64);
    let percent = 100.0 * (predicted - measured) / measured.max(1.0);
    (percent * 100.0).round() / 100.0
}

const HEAD: [&str; 6] =
    ["model", "predicted", "measured", "difference", "what stops it", "how to raise it"];

/// The rows as a table for a terminal.
#[must_use]
pub fn plain(rows: &[Row]) -> String {
    let lines: Vec<_> =
        std::iter::once(HEAD.map(Into::into)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
    let mut text = String::new();
    for [model, predicted, measured, off, stopped, raise] in &lines {
        let numbers = format!("{predicted:>b$}  {measured:>c$}  {off:>d$}");
        let _ = writeln!(text, "{model:<a$}  {numbers}  {stopped:<e$}  {raise}");
    }
    text
}

/// The rows as a table of a page.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|---|--:|--:|--:|---|---|\n", HEAD.join(" | "));
    for row in rows {
        let _ =
            writeln!(text, "| {} |", row.cells().map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text += "\n## Why\n\n";
    for row in rows {
        let Row { model, arithmetic, explanation, tables, .. } = row;
        let tables = if *tables > 1 { format!(" in {tables} tables") } else { String::new() };
        let _ = write!(text, "* `{model}`{tables}: predicted by {arithmetic}.");
        let bracket =
            row.measured.zip(row.failed_at).map_or_else(String::new, |(served, failed)| {
                format!("{} were served, {} were not: ", words(served), words(failed))
            });
        let measured = row.measured.map(|_| format!(" Measured: {bracket}{explanation}."));
        let _ = writeln!(text, "{}", measured.unwrap_or_default());
    }
    text
}

/// What was found, in one sentence.
#[must_use]
pub fn finding(rows: &[Row]) -> String {
    let measured = || rows.iter().filter_map(|row| Some((row.measured?, row)));
    let most = measured().max_by_key(|(clients, _)| *clients);
    let least = measured().min_by_key(|(clients, _)| *clients);
    let (Some((most, first)), Some((least, last))) = (most, least) else {
        return format!("{} models, predicted and not measured", rows.len());
    };
    let compared = rows.iter().filter(|row| row.difference_percent.is_some());
    let (hits, misses): (Vec<_>, Vec<_>) = compared.partition(|row| !row.missed());
    let range = match rows.len() {
        1 => format!("{} serves {} clients", first.model, words(most)),
        _ => format!(
            "From {} client{} with {} to {} with {}",
            words(least),
            if least == 1 { "" } else { "s" },
            last.model,
            words(most),
            first.model
        ),
    };
    let (count, all) = (hits.len(), hits.len() + misses.len());
    format!("{range}; {count} of {all} predictions are right within {TOLERANCE_PERCENT} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(clients: u64) -> Row {
        let model = "epoll-edge".into();
        Row { model, predicted: clients, most: 40_000, ..Row::default() }
    }

    fn found(served: u64, outcome: Outcome, end: End) -> Found {
        let failed = Step { clients: served + 1, served, outcome, seconds: 1.0 };
        Found { served, failed: Some(failed), end }
    }

    #[test]
    fn a_prediction_is_missed_from_two_percent_on() {
        let limit = || Outcome::DescriptorLimit { errno: 24 };
        let row = |predicted| prediction(predicted).measured(&found(1_000, limit(), End::Close));
        assert_eq!(row(1_020).difference_percent, Some(2.0));
        assert!(!row(1_020).missed() && !row(980).missed());
        assert!(row(1_021).missed() && row(979).missed());
    }

    #[test]
    fn the_generators_limit_and_lack_of_time_are_not_the_models() {
        let client = Outcome::GeneratorLimit { what: "has no ports".into() };
        let row = prediction(5_000).measured(&found(900, client, End::Close));
        assert!(row.at_least && row.difference_percent.is_none() && !row.missed());
        let late = Outcome::TimedOut { clients: 1 };
        let row = prediction(5_000).measured(&found(900, late, End::Budget));
        assert!(row.at_least && row.difference_percent.is_none());
        assert!(plain(&[row]).contains("≥ 900"));
    }

    #[test]
    fn an_objective_that_ends_it_is_no_wrong_prediction() {
        let slow = Outcome::LatencyObjective { percent: "p99".into(), microseconds: 6_000 };
        let row = Row { predicted_limit: "RLIMIT_NOFILE".into(), ..prediction(5_000) };
        let row = row.measured(&found(900, slow, End::Close));
        assert!(!row.missed() && !row.at_least);
        let [.., stopped, raise] = row.cells();
        assert_eq!(stopped, "too slow (not RLIMIT_NOFILE)");
        assert!(raise.contains("objective"), "{raise}");
    }

    #[test]
    fn the_most_that_was_tried_is_a_lower_bound_and_compared_with_what_was_predicted_of_it() {
        let most = Found { served: 40_000, failed: None, end: End::Most };
        let row = prediction(40_000).measured(&most);
        assert!(row.at_least && row.difference_percent == Some(0.0));
        assert_eq!(row.stopped_by, "nothing");
    }

    #[test]
    fn the_finding_names_both_ends_and_counts_what_was_foretold() {
        let limit = Outcome::DescriptorLimit { errno: 24 };
        let one = prediction(1_000).measured(&found(1_000, limit.clone(), End::Close));
        let two = Row { model: "iterative".into(), ..prediction(5) };
        let two = two.measured(&found(1, limit, End::Close));
        let text = finding(&[one, two]);
        let expected = "From 1 client with iterative to 1,000 with epoll-edge; 1 of 2 predictions";
        assert!(text.starts_with(expected), "{text}");
    }
}
