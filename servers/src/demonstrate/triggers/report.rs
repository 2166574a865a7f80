//! What was seen of each case, for people and for programs.

use std::io::Write;

use serde::Serialize;

use super::habit::WAITS_MAX;
use super::{Seen, Unit};
use crate::cli::Format;
use crate::columns;

/// A case, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) socket: &'static str,
    pub(super) trigger: String,
    pub(super) deed: &'static str,
    #[serde(flatten)]
    pub(super) seen: Seen,
    pub(super) why: &'static str,
}

impl Row {
    fn columns(&self) -> [String; 8] {
        let Seen { waits, wakeups, in_vain, .. } = self.seen;
        [
            self.socket.into(),
            self.trigger.clone(),
            self.deed.into(),
            waits.to_string(),
            wakeups.to_string(),
            in_vain.to_string(),
            left(self.seen),
            self.why.into(),
        ]
    }
}

fn left(seen: Seen) -> String {
    match (seen.left, seen.unit) {
        (0, _) => "nothing".into(),
        (count, Unit::Connections) => format!("{count} connections"),
        (count, Unit::Octets) => format!("{count} octets"),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    waits_max: u32,
    cases: &'a [Row],
    explanation: String,
}

const HEAD: [&str; 8] =
    ["socket", "trigger", "at a wake-up", "waits", "wake-ups", "in vain", "left waiting", "why"];

fn explanation() -> String {
    format!(
        "\
Each case waits until a wait brings nothing, and {WAITS_MAX} times at most: as many wake-ups have \
no end.
In vain are calls of accept, read and write that find nothing, or no room: EAGAIN, or the end.
Left waiting is what the kernel holds, or would take, and nobody is told of. A level-triggered
descriptor forgives all but indifference; an edge-triggered one must be served until EAGAIN; a
one-shot one must be asked for again, and then threads can share it."
    )
}

/// Writes it down.
///
/// # Errors
/// When `out` does not take it.
pub(super) fn write(out: &mut impl Write, format: Format, rows: &[Row]) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let explanation = explanation();
            let report = Report { waits_max: WAITS_MAX, cases: rows, explanation };
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        }
        Format::Csv => columns::csv(out, &lines(rows))?,
        Format::Table => {
            columns::table(out, &lines(rows))?;
            writeln!(out, "\n{}", explanation())?;
        }
    }
    Ok(())
}

fn lines(rows: &[Row]) -> Vec<[String; 8]> {
    std::iter::once(HEAD.map(String::from)).chain(rows.iter().map(Row::columns)).collect()
}
