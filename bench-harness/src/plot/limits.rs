//! How many clients each model serves: predicted and measured, with what stops it.

use anyhow::Result;

use super::Drawn;
use super::axis::Axis;
use super::figure::{Body, Figure};
use super::pairs::{Pair, Pairs};
use super::scale::Scale;
use super::style::{self, SYSTEM, USER};
use crate::folder::Folder;
use crate::limits::report::{Row, TOLERANCE_PERCENT, finding};
use crate::report::number::grouped;

/// Draws `limits.svg` and `limits.png` into the folder of figures of a run.
///
/// # Errors
/// When a file can't be written.
pub fn draw(run: &Folder, rows: &[Row], conditions: &str) -> Result<Drawn> {
    style::register_fonts()?;
    figure(rows, conditions).write(&run.plots()?)
}

fn figure(rows: &[Row], conditions: &str) -> Figure {
    let all = rows.iter().flat_map(|row| [Some(row.predicted), row.measured]).flatten();
    let highest = all.max().unwrap_or(1).max(10) as f64;
    // From half a client on, so that one client has a bar, too.
    let scale = Scale::Log { low: 0.5, high: highest * 1.05 };
    let tens = (0..20).map(|power| 10_f64.powi(power)).take_while(|value| *value <= highest);
    let axis = Axis {
        title: "clients served at once".into(),
        scale,
        ticks: tens.map(|value| (value, grouped(value))).collect(),
    };
    let legend = [("predicted", SYSTEM), ("measured", USER)];
    let pairs = rows.iter().map(pair).collect();
    Figure {
        name: "limits".into(),
        finding: finding(rows),
        subtitle: vec![conditions.to_owned()],
        notes: vec![format!(
            "Behind the bars: measured clients and the limit that was predicted to stop them; ≥ \
             where something else ended the search. A prediction is right within {TOLERANCE_PERCENT} %."
        )],
        body: Body::Pairs(Pairs { axis, legend, pairs }),
    }
}

fn pair(row: &Row) -> Pair {
    let lengths = [Some(row.predicted), row.measured]
        .map(|clients| clients.filter(|clients| *clients > 0).map(|clients| clients as f64));
    let number = grouped(row.measured.unwrap_or(row.predicted) as f64);
    let at_least = if row.at_least { "≥ " } else { "" };
    let limit = match row.predicted_limit.as_str() {
        "" => "nothing stops it",
        limit => limit,
    };
    let missed = if row.missed() { ", missed" } else { "" };
    Pair { label: row.model.clone(), lengths, text: format!("{at_least}{number}, {limit}{missed}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bars_and_the_limit_are_drawn() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(root.path(), "limits", "run").unwrap();
        let row = |model: &str, predicted, measured| Row {
            model: model.into(),
            predicted,
            measured: Some(measured),
            predicted_limit: "RLIMIT_NOFILE".into(),
            difference_percent: Some(0.0),
            ..Row::default()
        };
        let rows = [row("epoll-edge", 19_990, 19_987), row("iterative", 1, 1)];
        let drawn = draw(&folder, &rows, "here").unwrap();
        let text = std::fs::read_to_string(&drawn.path).unwrap();
        for words in ["19,987, RLIMIT_NOFILE", "predicted", "measured", "epoll-edge", "10,000"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(drawn.path.with_extension("png").exists());
        let bars = figure(&rows, "here").body;
        let Body::Pairs(Pairs { pairs, axis, .. }) = bars else { panic!("pairs") };
        let one = axis.scale.place(pairs[1].lengths[0].unwrap());
        assert!(one > 0.0, "one client has a bar");
    }
}
