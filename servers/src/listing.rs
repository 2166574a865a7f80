//! `servers list`: the table of models, or that of policies, for people and for programs.

use std::io::Write;

use serde::Serialize;

use crate::cli::{Format, List};
use crate::columns;
use crate::models::{AtOnce, Family, MODELS, Model, TriggerName, Workers};
use crate::proxy::policy::{Entry, POLICIES};

/// A model as programs see it.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    family: &'static str,
    trigger: Option<TriggerName>,
    at_once: AtOnce,
    workers: Workers,
    tables: u16,
    summary: &'static str,
    /// Why it cannot be had on this host; `null` when it can.
    refusal: Option<String>,
}

impl From<&Model> for Row {
    fn from(model: &Model) -> Self {
        let (family, trigger) = match model.family {
            Family::Blocking => ("blocking", None),
            Family::Readiness(trigger) => ("readiness", Some(trigger)),
            Family::Completion => ("completion", None),
        };
        let Model { name, at_once, workers, tables, summary, .. } = *model;
        Self { name, family, trigger, at_once, workers, tables, summary, refusal: model.refusal() }
    }
}

impl Row {
    /// The columns of the table and of the CSV.
    fn columns(&self) -> [String; 7] {
        [
            self.name.into(),
            self.family.into(),
            self.trigger.map_or("-", trigger).into(),
            at_once(self.at_once),
            workers(self.workers),
            self.tables.to_string(),
            match &self.refusal {
                None => self.summary.into(),
                Some(reason) => format!("(not on this host: {reason})"),
            },
        ]
    }
}

const HEAD: [&str; 7] =
    ["model", "family", "trigger", "clients at once", "workers", "tables", "summary"];

/// A policy as programs see it.
#[derive(Debug, Serialize)]
struct Policy {
    name: &'static str,
    summary: &'static str,
}

impl From<&Entry> for Policy {
    fn from(entry: &Entry) -> Self {
        Self { name: entry.name, summary: entry.summary }
    }
}

/// Writes the table that is asked for.
///
/// # Errors
/// When `out` does not take it.
pub fn write(out: &mut impl Write, list: &List) -> anyhow::Result<()> {
    if list.policies {
        let rows: Vec<_> = POLICIES.iter().map(Policy::from).collect();
        let cells = |row: &Policy| [row.name, row.summary].map(String::from);
        return rows_of(out, list.format, ["policy", "summary"], &rows, cells);
    }
    let rows: Vec<_> = MODELS.iter().map(Row::from).collect();
    rows_of(out, list.format, HEAD, &rows, Row::columns)
}

fn rows_of<R: Serialize, const N: usize>(
    out: &mut impl Write,
    format: Format,
    head: [&str; N],
    rows: &[R],
    cells: impl Fn(&R) -> [String; N],
) -> anyhow::Result<()> {
    let lines = || -> Vec<_> {
        std::iter::once(head.map(String::from)).chain(rows.iter().map(&cells)).collect()
    };
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, rows)?;
            writeln!(out)?;
        }
        Format::Csv => columns::csv(out, &lines())?,
        Format::Table => columns::table(out, &lines())?,
    }
    Ok(())
}

const fn trigger(name: TriggerName) -> &'static str {
    match name {
        TriggerName::Level => "level",
        TriggerName::Edge => "edge",
        TriggerName::Oneshot => "oneshot",
    }
}

fn at_once(clients: AtOnce) -> String {
    match clients {
        AtOnce::One => "1".into(),
        AtOnce::Workers => "its workers".into(),
        AtOnce::Descriptors(limit) => format!("descriptors < {limit}"),
        AtOnce::Unlimited => "no limit of its own".into(),
    }
}

fn workers(workers: Workers) -> String {
    match workers {
        Workers::One => "1".into(),
        Workers::PerConnection => "1 a client".into(),
        Workers::Fixed(count) => count.to_string(),
        Workers::PerCpu => "1 a CPU".into(),
    }
}
