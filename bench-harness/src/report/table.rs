//! The compact table: rate by model and connections.

use std::fmt::Write;

use super::number::{octets, short, time};
use crate::experiment::App;
use crate::record::{Outcome, Row};
use crate::stats::cell::{Point, distinct, points};
use crate::stats::doubt::Doubts;

/// What a mark behind a number means.
const MARKS: [(char, &str); 8] = [
    ('*', "not every client was served"),
    ('^', "overloaded: a queue of requests grew"),
    ('†', "the load generator calls its numbers invalid"),
    ('>', "the load generator was the limit"),
    ('!', "some requests failed"),
    ('~', "disturbed by other programs"),
    ('?', "the load generator doubts its numbers"),
    ('-', "no number"),
];

/// What is shown of a cell.
struct Shown {
    head: &'static str,
    column: fn(&Row) -> Option<f64>,
    words: fn(f64) -> String,
}

/// The finding of a closed loop.
const RATE: Shown = Shown { head: "requests/s", column: |row| row.rate_per_s, words: short };

/// The finding of an open loop, where the rate is what was asked for.
const P99: Shown = Shown { head: "p99", column: |row| row.latency_p99_us, words: time };

/// A table of one app.
#[derive(Clone, Debug)]
pub struct Table {
    /// The app.
    pub app: App,
    /// What its numbers are.
    pub title: &'static str,
    /// The head, and a line a model.
    pub lines: Vec<Vec<String>>,
}

/// A cell of the table: the number, and a mark where it needs one.
fn cell(point: &Point<'_>, shown: &Shown, doubts: &Doubts<'_>) -> String {
    let Some(value) = point.median(shown.column) else { return "-".into() };
    let mark = match point.outcome() {
        Outcome::Starved | Outcome::Refused | Outcome::Unfair => "*",
        Outcome::Errors | Outcome::Failed => "!",
        Outcome::Overloaded => "^",
        Outcome::Invalid => "†",
        Outcome::Ok if point.disturbed() => "~",
        Outcome::Ok if doubts.mark(point) => "?",
        Outcome::Ok if point.client_limited() => ">",
        Outcome::Ok => "",
    };
    format!("{}{mark}", (shown.words)(value))
}

/// The marks that are there, and what they mean.
#[must_use]
pub fn legend(tables: &[Table]) -> String {
    let cells = || tables.iter().flat_map(|table| table.lines.iter().skip(1).flat_map(|l| &l[1..]));
    let there = |mark: &char| cells().any(|cell| cell.ends_with(*mark));
    let marks = MARKS.iter().filter(|(mark, _)| there(mark));
    marks.map(|(mark, words)| format!("{mark} {words}")).collect::<Vec<_>>().join("   ")
}

/// A table for each app: a row a model, a column for each value of the axis that varies most.
#[must_use]
pub fn tables(rows: &[Row], order: &[String]) -> Vec<Table> {
    let doubts = Doubts::of(rows);
    let apps = App::ALL.map(|app| (app, points(rows, app, order)));
    let filled = apps.iter().filter(|(_, points)| !points.is_empty());
    filled.map(|(app, points)| table(*app, points, &doubts)).collect()
}

fn table(app: App, points: &[Point<'_>], doubts: &Doubts<'_>) -> Table {
    let open = points.iter().any(|point| point.rate_asked.is_some());
    let (shown, title) = match open {
        true => (P99, "99th percentile of response time"),
        false => (RATE, "requests answered a second"),
    };
    Table { app, title, lines: lines(points, &shown, doubts) }
}

fn lines(points: &[Point<'_>], shown: &Shown, doubts: &Doubts<'_>) -> Vec<Vec<String>> {
    let columns = distinct(points, key);
    let head = std::iter::once(shown.head.to_owned()).chain(columns.iter().map(title));
    let mut lines = vec![head.collect::<Vec<_>>()];
    let mut models: Vec<_> = points.iter().map(|point| point.model).collect();
    models.dedup();
    for model in models {
        let at = |column: &Key| {
            let found = points.iter().find(|p| p.model == model && key(p) == *column);
            found.map_or_else(String::new, |point| cell(point, shown, doubts))
        };
        lines.push(std::iter::once(model.to_owned()).chain(columns.iter().map(at)).collect());
    }
    lines
}

/// Policy, connections, idle connections, size and rate asked for.
type Key = (Option<String>, u64, u64, Option<u64>, Option<u64>);

fn key(point: &Point<'_>) -> Key {
    let policy = point.policy.map(str::to_owned);
    (policy, point.connections, point.idle, point.size, point.rate_asked)
}

fn title((policy, connections, idle, size, rate): &Key) -> String {
    let policy = policy.as_ref().map_or_else(String::new, |policy| format!("{policy} "));
    let mut title = format!("{policy}c={connections}");
    if *idle > 0 {
        title += &format!(" idle={idle}");
    }
    title += &size.map_or_else(String::new, |size| format!(" {}", octets(size as f64)));
    title + &rate.map_or_else(String::new, |rate| format!(" {}/s", short(rate as f64)))
}

/// For a terminal.
#[must_use]
pub fn plain(rows: &[Row], order: &[String]) -> String {
    let tables = tables(rows, order);
    let mut text = String::new();
    for Table { app, title, lines } in &tables {
        let _ = writeln!(text, "\n{app}: {title}");
        let widths = widths(lines);
        for line in lines {
            let cells = line.iter().zip(&widths).enumerate();
            let cells = cells.map(|(n, (cell, width))| match n {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
    text + &legend(&tables) + "\n\n"
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |n: usize| {
        let column = lines.iter().filter_map(|line| line.get(n));
        column.map(|cell| cell.chars().count()).max()
    };
    (0..columns).map(|n| width(n).unwrap_or(0)).collect()
}

/// For Markdown: a name, and numbers.
#[must_use]
pub fn markdown(lines: &[Vec<String>]) -> String {
    rows(lines, "---:|")
}

/// For Markdown: words.
#[must_use]
pub fn prose(lines: &[Vec<String>]) -> String {
    rows(lines, "---|")
}

fn rows(lines: &[Vec<String>], rule: &str) -> String {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "| {} |", line.join(" | ").replace('*', "\\*").replace('>', "\\>"));
        if n == 0 {
            let _ = writeln!(text, "|---|{}", rule.repeat(line.len().saturating_sub(1)));
        }
    }
    text
}
