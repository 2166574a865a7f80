//! The compact table: rate by model and connections.

use std::fmt::Write;

use super::number::short;
use crate::experiment::App;
use crate::record::{Outcome, Row};
use crate::stats::cell::{Point, distinct, points};

/// What the marks behind numbers mean.
pub const LEGEND: &str = "* not every client was served   > the load generator was the limit   \
    ! some requests failed   ~ disturbed by other programs   - no number";

/// A cell of the table: the rate, and a mark where it needs one.
#[must_use]
pub fn rate(point: &Point<'_>) -> String {
    let Some(rate) = point.rate() else { return "-".into() };
    let mark = match point.outcome() {
        Outcome::Starved | Outcome::Refused | Outcome::Unfair => "*",
        Outcome::Errors | Outcome::Failed => "!",
        Outcome::Ok if point.disturbed() => "~",
        Outcome::Ok if point.client_limited() => ">",
        Outcome::Ok => "",
    };
    format!("{}{mark}", short(rate))
}

/// A table for each app: a row a model, a column for each value of the axis that varies most.
#[must_use]
pub fn tables(rows: &[Row], order: &[String]) -> Vec<(App, Vec<Vec<String>>)> {
    let apps = [App::Echo, App::Http].map(|app| (app, points(rows, app, order)));
    let filled = apps.iter().filter(|(_, points)| !points.is_empty());
    filled.map(|(app, points)| (*app, table(points))).collect()
}

fn table(points: &[Point<'_>]) -> Vec<Vec<String>> {
    let columns = distinct(points, key);
    let head = std::iter::once("requests/s".to_owned()).chain(columns.iter().map(title));
    let mut lines = vec![head.collect::<Vec<_>>()];
    let mut models: Vec<_> = points.iter().map(|point| point.model).collect();
    models.dedup();
    for model in models {
        let cell = |column: &Key| {
            let found = points.iter().find(|p| p.model == model && key(p) == *column);
            found.map_or_else(String::new, rate)
        };
        lines.push(std::iter::once(model.to_owned()).chain(columns.iter().map(cell)).collect());
    }
    lines
}

/// Connections, idle connections and size.
type Key = (u64, u64, Option<u64>);

fn key(point: &Point<'_>) -> Key {
    (point.connections, point.idle, point.size)
}

fn title((connections, idle, size): &Key) -> String {
    let mut title = format!("c={connections}");
    if *idle > 0 {
        title += &format!(" idle={idle}");
    }
    size.map_or(title.clone(), |size| format!("{title} {}", super::number::octets(size as f64)))
}

/// For a terminal.
#[must_use]
pub fn plain(rows: &[Row], order: &[String]) -> String {
    let mut text = String::new();
    for (app, lines) in tables(rows, order) {
        let _ = writeln!(text, "\n{app}");
        let widths = widths(&lines);
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate();
            let cells = cells.map(|(n, (cell, width))| match n {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
    text + LEGEND + "\n\n"
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |n: usize| {
        let column = lines.iter().filter_map(|line| line.get(n));
        column.map(|cell| cell.chars().count()).max()
    };
    (0..columns).map(|n| width(n).unwrap_or(0)).collect()
}

/// For Markdown.
#[must_use]
pub fn markdown(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        let _ = writeln!(text, "| {} |", line.join(" | ").replace('*', "\\*").replace('>', "\\>"));
        if n == 0 {
            let _ = writeln!(text, "|---|{}", "---:|".repeat(line.len().saturating_sub(1)));
        }
    }
    text
}
