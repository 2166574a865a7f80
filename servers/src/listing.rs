//! `servers list`: the table of models, for people and for programs.

use std::io::Write;

use serde::Serialize;

use crate::cli::Format;
use crate::columns;
use crate::models::{AtOnce, Family, MODELS, Model, TriggerName, Workers};

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
}

impl From<&Model> for Row {
    fn from(model: &Model) -> Self {
        let (family, trigger) = match model.family {
            Family::Blocking => ("blocking", None),
            Family::Readiness(trigger) => ("readiness", Some(trigger)),
        };
        let Model { name, at_once, workers, tables, summary, .. } = *model;
        Self { name, family, trigger, at_once, workers, tables, summary }
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
            self.summary.into(),
        ]
    }
}

const HEAD: [&str; 7] =
    ["model", "family", "trigger", "clients at once", "workers", "tables", "summary"];

/// Writes the table of models.
///
/// # Errors
/// When `out` does not take it.
pub fn write(out: &mut impl Write, format: Format) -> anyhow::Result<()> {
    let rows = MODELS.iter().map(Row::from).collect::<Vec<_>>();
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        }
        Format::Csv => columns::csv(out, &lines(&rows))?,
        Format::Table => columns::table(out, &lines(&rows))?,
    }
    Ok(())
}

fn lines(rows: &[Row]) -> Vec<[String; 7]> {
    std::iter::once(HEAD.map(String::from)).chain(rows.iter().map(Row::columns)).collect()
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
