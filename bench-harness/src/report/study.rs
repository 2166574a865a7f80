//! The section of a report that lays a run beside the study that it repeats: the cases with what
//! came of them, the response times, why some clients were not served, and what the published times
//! measure.

use std::fmt::Write;

use super::number::{grouped, milliseconds, short, times};
use super::open_loop;
use super::table::{markdown, prose};
use crate::experiment::condition::Condition;
use crate::experiment::published::{Plateau, Published, implied_rate};
use crate::record::{Limit, Row};
use crate::results::Run;
use crate::stats::cell::Point;
use crate::stats::study::{Came, Column, clients, columns};

/// The section; nothing where the experiment repeats no study.
pub(super) fn section(run: &Run) -> String {
    let Some(published) = &run.source.experiment.published else { return String::new() };
    let columns = columns(run, published);
    let mut text = format!("## Beside what was published\n\nThe study: {}.\n\n", published.study);
    text += &raised(&run.manifest.raised);
    text += &cases(&run.source.experiment.case, &columns);
    text += &open_loop::table(published, run);
    text += &response_times(&columns);
    text += &failures(&columns);
    text + &rates(published, &columns)
}

/// What made room for threads that the host has none for by itself.
fn raised(limits: &[String]) -> String {
    match limits {
        [] => String::new(),
        limits => format!(
            "For this run these limits of the host were raised, and then put back: {}.\n\n",
            limits.join(", ")
        ),
    }
}

/// The cases that have a number, in the order of the file.
fn cases(cases: &[Condition], columns: &[Column<'_>]) -> String {
    if cases.is_empty() {
        return String::new();
    }
    let head = ["case", "model", "clients", "there", "here"].map(ToOwned::to_owned);
    let mut lines = vec![head.to_vec()];
    let asked = clients(columns);
    for (n, case) in cases.iter().enumerate() {
        for column in columns {
            let there = asked.iter().filter(|clients| case.holds(&column.cell(**clients)));
            lines.extend(there.map(|clients| case_line(n + 1, column, *clients)));
        }
    }
    format!("### The {} cases\n\n{}\n", cases.len(), prose(&lines))
}

fn case_line(number: usize, column: &Column<'_>, clients: u64) -> Vec<String> {
    let there = column.published.map_or_else(String::new, |series| match series.at(clients) {
        Some(ms) => milliseconds(ms),
        None if series.fails_at(clients) => {
            format!("failed: {}", series.failure.as_deref().unwrap_or("no reason given"))
        }
        None => String::new(),
    });
    let here = match column.came(clients) {
        Came::Failed { word, why } => format!("failed ({word}): {why}"),
        Came::LeftOut(why) => format!("not tried: {why}"),
        other => cell(other),
    };
    vec![number.to_string(), column.title(), grouped(clients as f64), there, here]
}

fn cell(came: Came<'_>) -> String {
    match came {
        Came::Passed { ms, holds: true } => milliseconds(ms),
        Came::Passed { ms, holds: false } => format!("{}†", milliseconds(ms)),
        Came::Failed { word, .. } => word.into(),
        Came::LeftOut(_) => "not tried".into(),
        Came::Nothing => String::new(),
    }
}

/// The mean response time of each model: here, and as published. Nothing where a study has none.
fn response_times(columns: &[Column<'_>]) -> String {
    if columns.iter().all(|column| column.published.is_none()) {
        return String::new();
    }
    let tried = |clients: &u64| columns.iter().any(|column| column.at(*clients).is_some());
    let asked = clients(columns);
    let titles = columns.iter().map(Column::title);
    let head = std::iter::once("clients".to_owned()).chain(titles).collect::<Vec<_>>();
    let line = |clients: &u64| {
        let cells = columns.iter().map(|column| cell(column.came(*clients)));
        std::iter::once(grouped(*clients as f64)).chain(cells).collect::<Vec<_>>()
    };
    let lines = asked.iter().filter(|clients| tried(clients)).map(line);
    let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
    let mut text = format!("### Mean response time, here\n\n{}\n", markdown(&lines));
    if lines.iter().flatten().any(|cell| cell.ends_with('†')) {
        text += "† The load generator does not stand by its times; `trials.csv` says why.\n\n";
    }
    text + &as_published(columns, &asked)
}

fn as_published(columns: &[Column<'_>], asked: &[u64]) -> String {
    let series: Vec<_> = columns.iter().filter_map(|column| column.published).collect();
    let names = series.iter().map(|series| series.name.clone());
    let mut lines = vec![std::iter::once("clients".to_owned()).chain(names).collect::<Vec<_>>()];
    for clients in asked {
        let cells = series.iter().map(|series| match series.at(*clients) {
            Some(ms) => milliseconds(ms),
            None if series.fails_at(*clients) => "failed".into(),
            None => String::new(),
        });
        let cells: Vec<_> = cells.collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            lines.push(std::iter::once(grouped(*clients as f64)).chain(cells).collect());
        }
    }
    format!("### Mean response time, as published\n\n{}\n", markdown(&lines))
}

/// Why clients were not served, and cells left out: for each model and reason once.
fn failures(columns: &[Column<'_>]) -> String {
    let mut text = String::new();
    for column in columns {
        for point in column.points() {
            if let Came::Failed { word, why } = column.came(point.connections) {
                let clients = grouped(point.connections as f64);
                let _ = writeln!(text, "* {}, {clients} clients, {word}: {why}", column.model);
            }
        }
    }
    for column in columns.iter().filter_map(|column| column.published) {
        let (Some(failed), Some(failure)) = (column.failed_at, &column.failure) else { continue };
        let _ = writeln!(
            text,
            "* there: {}, {} clients: {failure}",
            column.name,
            grouped(failed as f64)
        );
    }
    if text.is_empty() { text } else { format!("### What failed, and why\n\n{text}\n") }
}

/// Little's law, applied to the study and to this run.
fn rates(published: &Published, columns: &[Column<'_>]) -> String {
    let Some(plateau) = published.plateau() else { return String::new() };
    let lines = rate_lines(columns);
    format!(
        "### What the published times measure\n\n{}\n\n{}\n{}\n\n",
        there(&plateau),
        markdown(&lines),
        here(columns)
    )
}

/// What the published figures say, in words.
fn there(plateau: &Plateau) -> String {
    let Plateau { clients: (fewest, most), rates: (low, high), apart } = *plateau;
    let factor = high / low;
    let growth = most as f64 / fewest as f64;
    let mut text = format!(
        "In a closed loop clients = rate × response time (Little's law), so each published time implies \
         a rate: clients / response time. From {} to {} clients, that is {}-fold, these rates stay \
         between {} and {} requests/s, within {}; and at the same number of clients those of different \
         servers lie within {}.",
        grouped(fewest as f64),
        grouped(most as f64),
        grouped(growth),
        short(low),
        short(high),
        times(factor),
        times(apart),
    );
    // A server of its own would show in a factor of its own.
    if apart < ALIKE && factor < growth.sqrt() {
        text += " What stays the same whatever the server is, is what all of them were measured \
                 with: the client. The times are then the number of clients divided by the rate of that \
                 client; they tell how many clients each server can hold, and not how fast it is.";
    }
    text
}

/// Servers of different designs that differ by less than this in all points were not told apart.
const ALIKE: f64 = 1.10;

/// A line for each trial beside the study: the rate implied there, the rate here, and who was busy.
fn rate_lines(columns: &[Column<'_>]) -> Vec<Vec<String>> {
    let head = [
        "clients",
        "model",
        "implied there",
        "implied here",
        "measured here",
        "CPU of the server",
        "CPU of the load generator",
        "limited by",
        "verdict",
    ];
    let mut lines = vec![head.map(ToOwned::to_owned).to_vec()];
    for clients in clients(columns) {
        for column in columns.iter().filter(|column| column.published.is_some()) {
            lines.extend(column.at(clients).map(|point| rate_line(column, point)));
        }
    }
    lines
}

fn rate_line(column: &Column<'_>, point: &Point<'_>) -> Vec<String> {
    let clients = point.connections;
    let series = column.published.and_then(|series| series.at(clients));
    let rate = |ms: f64| short(implied_rate(clients, ms));
    let here = match column.came(clients) {
        Came::Passed { ms, .. } => rate(ms),
        _ => String::new(),
    };
    let percent = |share: fn(&Row) -> Option<f64>| {
        point.median(share).map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share))
    };
    let last = point.rows.last();
    vec![
        grouped(clients as f64),
        column.title(),
        series.map_or_else(String::new, rate),
        here,
        point.rate().map_or_else(String::new, short),
        percent(|row| row.server_cpu_share),
        percent(|row| row.client_cpu_share),
        last.and_then(|row| row.limited_by).map_or_else(String::new, word),
        last.and_then(|row| row.verdict).map_or_else(String::new, |verdict| verdict.to_string()),
    ]
}

fn word(limit: Limit) -> String {
    format!("{limit:?}").to_lowercase()
}

/// What this run can say about the servers' speed, in words.
fn here(columns: &[Column<'_>]) -> String {
    let points =
        columns.iter().filter(|column| column.published.is_some()).flat_map(Column::points);
    let limits: Vec<_> =
        points.flat_map(|point| &point.rows).filter_map(|row| row.limited_by).collect();
    let count = |wanted: &[Limit]| limits.iter().filter(|limit| wanted.contains(limit)).count();
    let server = count(&[Limit::Server, Limit::Both]);
    let client = count(&[Limit::Client]);
    format!(
        "Here, of {} trials beside the study, {server} used up the CPU of the server, so that the rate is \
         the server's; in {client} only the load generator's was used up, and the rate is a lower bound. \
         The CPU times of both are beside each rate, so that nobody has to believe it. Where the rate \
         measured here is far below the implied one, some clients had all their answers long before \
         others: who is done waits no more, and fewer than all are in the queue.",
        limits.len()
    )
}
