//! The report of a run as a Markdown page.

use std::fmt::Write;
use std::path::Path;

use super::number::{octets, three, time};
use super::page::charts;
use super::table::{self, Table};
use super::{study, verdict};
use crate::experiment::{App, span};
use crate::manifest::Status;
use crate::plot::Drawn;
use crate::record::{Outcome, Row};
use crate::results::{Run, file};
use crate::stats::cell::{Point, points, representative};

/// The page, with figures by relative paths.
#[must_use]
pub fn page(run: &Run, figures: &[Drawn]) -> String {
    let experiment = &run.source.experiment;
    let mut text = format!("# {}: {}\n\n", run.source.name, one_line(&experiment.question));
    let _ = writeln!(text, "Expected: {}\n", one_line(&experiment.expectation));
    text += &state(run);
    text += "## What came out\n\n";
    for figure in figures {
        let _ = writeln!(text, "* {}", figure.finding);
    }
    text.push('\n');
    text += &study::section(run);
    text += &numbers(run);
    text += &costs(run);
    text += "## Charts\n\n";
    text += &charts(figures, Path::new(file::PLOTS));
    if !experiment.analysis.trim().is_empty() {
        let _ = writeln!(text, "## How to read it\n\n{}\n", experiment.analysis.trim());
    }
    text + &verdict::section(run) + &exceptions(run) + &host(run) + &repeat(run)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn state(run: &Run) -> String {
    let manifest = &run.manifest;
    let mut text = match manifest.status {
        Status::Complete => String::new(),
        Status::Partial => format!(
            "**This run was interrupted: {} of {} trials were made.**\n\n",
            run.rows.len(),
            manifest.trials
        ),
    };
    if !manifest.pinning.apart() {
        text +=
            "**Server and load generator shared a CPU: the rates are those of both together.**\n\n";
    }
    text
}

fn numbers(run: &Run) -> String {
    let mut text = String::from("## Numbers\n\n");
    let tables = table::tables(&run.rows, &run.manifest.models);
    for Table { app, title, lines } in &tables {
        let _ = writeln!(
            text,
            "**{app}**, {title} (median of the trials)\n\n{}",
            table::markdown(lines)
        );
    }
    let legend = table::legend(&tables);
    if legend.is_empty() { text } else { format!("{text}`{legend}`\n\n") }
}

/// What a request cost at the number of connections at which models can be compared.
fn costs(run: &Run) -> String {
    let mut text = String::new();
    for app in App::ALL {
        let points = points(&run.rows, app, &run.manifest.models);
        let Some(count) = representative(&points) else { continue };
        let rows: Vec<_> =
            points.iter().filter(|p| p.connections == count && p.rate().is_some()).collect();
        let _ = writeln!(text, "**{app}**, {count} connections\n");
        text += "| model | idle | size | p50 | p99 | user µs | system µs | calls | memory |";
        text += " limited by |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n";
        rows.iter().for_each(|point| text += &cost(point));
        text.push('\n');
    }
    format!("## Costs of a request\n\n{text}")
}

fn cost(point: &Point<'_>) -> String {
    let show = |column: fn(&Row) -> Option<f64>, words: fn(f64) -> String| {
        point.median(column).map_or_else(|| "-".into(), words)
    };
    let limits = point.rows.iter().filter_map(|row| row.limited_by);
    let mut limits: Vec<_> = limits.map(|limit| format!("{limit:?}").to_lowercase()).collect();
    limits.sort();
    limits.dedup();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        point.name(),
        point.idle,
        point.size.map_or_else(|| "-".into(), |size| octets(size as f64)),
        show(|row| row.latency_p50_us, time),
        show(|row| row.latency_p99_us, time),
        show(|row| row.server_user_us_per_request, three),
        show(|row| row.server_system_us_per_request, three),
        show(|row| row.server_calls_per_request, three),
        show(|row| row.server_resident_octets.map(|octets| octets as f64), octets),
        limits.join(", "),
    )
}

/// What a mark in a table doesn't tell.
fn needs_words(outcome: Outcome) -> bool {
    use Outcome::{Errors, Failed, Invalid, Overloaded};
    matches!(outcome, Failed | Errors | Invalid | Overloaded)
}

/// Trials that did not go as asked, and cells that were left out.
fn exceptions(run: &Run) -> String {
    let mut text = String::new();
    for row in run.rows.iter().filter(|row| needs_words(row.outcome)) {
        let why = one_line(row.error.as_deref().unwrap_or("no reason given"));
        let _ = writeln!(
            text,
            "* trial {}: {} {} c={}: {}: {why}",
            row.trial,
            row.model,
            row.app,
            row.connections,
            row.outcome.word()
        );
    }
    for skipped in &run.manifest.skipped {
        let _ = writeln!(text, "* left out: {skipped}");
    }
    if text.is_empty() { text } else { format!("## Exceptions\n\n{text}\n") }
}

fn host(run: &Run) -> String {
    let (manifest, host) = (&run.manifest, &run.manifest.host);
    let steal = run.rows.iter().filter_map(|row| row.host_steal_percent).fold(0.0, f64::max);
    let facts = [
        ("CPU", format!("{} × {}", host.cpus, host.cpu)),
        ("virtual machine", host.virtual_machine.clone()),
        ("kernel", host.kernel.clone()),
        ("memory", format!("{} KiB", host.memory_kib)),
        ("clock source, governor", format!("{}, {}", host.clocksource, host.governor)),
        (
            "server on CPUs, load on CPUs",
            format!("{:?}, {:?}", manifest.pinning.server, manifest.pinning.client),
        ),
        ("most stolen CPU time in a trial", format!("{steal:.1} %")),
        ("open files, limit", host.open_files.to_string()),
        ("raised for the run", none_or(manifest.raised.join(", "))),
        ("revision", format!("{}, changed: {}", manifest.build.revision, manifest.build.dirty)),
        ("began, ended", format!("{}, {}", manifest.started, manifest.finished)),
    ];
    let mut text = String::from("## Host and build\n\n| | |\n|---|---|\n");
    for (name, value) in facts {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text + "\n`manifest.toml` has all of it.\n\n"
}

fn none_or(words: String) -> String {
    if words.is_empty() { "nothing".into() } else { words }
}

fn repeat(run: &Run) -> String {
    let manifest = &run.manifest;
    let measure = span::flag(std::time::Duration::from_millis(manifest.measure_ms));
    format!(
        "## To repeat it\n\n    cargo build --release\n    target/release/bench-harness run {} \
         --seed {} --repeat {} --duration {measure}\n\n\
         `trials.csv` has a row a trial; `bench-harness/FORMAT.md` explains its columns.\n",
        manifest.experiment, manifest.seed, manifest.repeat
    )
}
