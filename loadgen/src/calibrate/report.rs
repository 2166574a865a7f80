//! The calibration in words and in a file.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::comparison::{Reference, Row};
use super::finding::{Calibration, Finding};
use super::host::Placement;
use crate::cli::Format;
use crate::failure::Failure;
use crate::records::Draft;

/// Where it is stored, in the folder that was asked for.
const FILE: &str = "calibration.json";

/// Prints it to standard output.
///
/// # Errors
/// If that is closed.
pub(crate) fn print(calibration: &Calibration, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Text => text(calibration),
        Format::Json => json(calibration)?,
    };
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// Makes the folder if it is not there, and begins the file in it: before the measuring, which
/// takes long. Dropped, it leaves nothing behind.
///
/// # Errors
/// [`Failure::Usage`] if there is a calibration in the folder already.
pub(crate) fn reserve(folder: &Path) -> Result<Draft, Failure> {
    let made = fs::create_dir_all(folder);
    made.map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
    Draft::create(&folder.join(FILE))
}

/// Writes the file and puts it into its place.
///
/// # Errors
/// If that has been taken meanwhile, or it can't be written.
pub(crate) fn store(calibration: &Calibration, mut draft: Draft) -> Result<(), Failure> {
    let written = draft.write_all(json(calibration)?.as_bytes());
    written.map_err(|error| draft.failure(&error))?;
    draft.settle()
}

fn json(calibration: &Calibration) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(calibration);
    let text =
        text.map_err(|error| Failure::Failed(format!("the calibration as JSON: {error}")))?;
    Ok(text + "\n")
}

fn text(calibration: &Calibration) -> String {
    let mut text = heading(calibration);
    for finding in &calibration.findings {
        text.push_str(&table(finding));
    }
    text.push_str(&conclusion(calibration));
    text
}

fn heading(calibration: &Calibration) -> String {
    let host = &calibration.host;
    let placement = match host.placement {
        Placement::Apart { generator, server } => {
            format!("load generator on CPU {generator}, server on CPU {server}")
        }
        Placement::Together => {
            "on one CPU: the server\u{2019}s wake-ups are part of the error".to_owned()
        }
    };
    let columns = ["case", "", "analytic", "schedule", "measured", "error", "%", "bias", "allowed"];
    let [case, statistic, rest @ ..] = columns;
    let mut text = format!("{}, {} CPUs; {placement}\nTimes in µs.\n\n", host.kernel, host.cpus);
    text.push_str(&format!("{case:<26}{statistic:>5}"));
    for (column, width) in rest.into_iter().zip(WIDTHS) {
        let _ = write!(text, " {column:>width$}");
    }
    text.push('\n');
    text
}

/// Of the columns with figures, beside the blank that keeps each from the one before it.
const WIDTHS: [usize; 7] = [11, 11, 11, 9, 7, 9, 9];

fn table(finding: &Finding) -> String {
    let mut text = String::new();
    for (number, row) in finding.rows.iter().enumerate() {
        let case = if number == 0 { finding.case.as_str() } else { "" };
        let _ = writeln!(text, "{case:<26}{}", line(row));
    }
    for complaint in &finding.complaints {
        let _ = writeln!(text, "  does not count: {complaint}");
    }
    text
}

fn line(row: &Row) -> String {
    let expectation = &row.expectation;
    let figures = [
        format!("{:.1}", expectation.analytic_ns / 1e3),
        format!("{:.1}", expectation.exact_ns / 1e3),
        format!("{:.1}", row.measured_ns / 1e3),
        format!("{:+.1}", row.error_ns / 1e3),
        format!("{:+.2}", row.error_ns / expectation.analytic_ns * 100.0),
        format!("{:+.1}", row.bias_ns / 1e3),
        format!("{:.1}", row.allowed_ns / 1e3),
    ];
    let mut text = format!("{:>5}", expectation.statistic.to_string());
    for (figure, width) in figures.into_iter().zip(WIDTHS) {
        let _ = write!(text, " {figure:>width$}");
    }
    let reference = match expectation.reference {
        Reference::Analytic => "",
        Reference::Schedule => ", by schedule",
    };
    text + if row.holds { "  holds" } else { "  TOO FAR" } + reference
}

fn conclusion(calibration: &Calibration) -> String {
    let bias = calibration.bias_us;
    let rows = calibration.findings.iter().flat_map(|finding| &finding.rows);
    let (count, holding) = (rows.clone().count(), rows.filter(|row| row.holds).count());
    format!("\nBias: {bias:+.1} µs (median of measured - schedule). {holding} of {count} hold.\n")
}

/// What is wrong, and what to do about it.
pub(crate) fn advice(calibration: &Calibration) -> String {
    let cases = calibration.findings.iter().filter(|finding| !finding.holds());
    let names: Vec<_> = cases.map(|finding| finding.case.as_str()).collect();
    let spin = if calibration.spin_ns == 0 {
        " Where a CPU can be spared, try --spin 1ms, here and in the runs to come."
    } else {
        ""
    };
    format!(
        "not to be trusted on this host as it is, because of {}: latencies measured here are off \
         by more than they may be. End what else runs on these CPUs (see uptime), give a virtual \
         machine CPUs of its own, turn deep idle states off, and calibrate again.{spin}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::tests::off_by;
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_figure() {
        let text = text(&off_by([20e3, 25e3, 300e3], Vec::new()));
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = text.lines().map(words).collect();
        let first = "M/D/1 at 0.6 p50 4000.0 4000.0 4020.0 +20.0 +0.50 +20.0 40.0 holds";
        assert!(lines.contains(&first.to_owned()), "{text}");
        let last = "p99 4000.0 4000.0 4300.0 +300.0 +7.50 +300.0 40.0 TOO FAR";
        assert!(lines.contains(&last.to_owned()), "{text}");
        assert!(text.contains("Bias: +25.0 µs") && text.contains("2 of 3 hold"), "{text}");
    }

    #[test]
    fn figures_that_are_far_too_large_stay_apart() {
        let text = text(&off_by([4e12; 3], Vec::new()));
        let line = text.lines().find(|line| line.contains("p99")).expect("a line");
        let figures = line.split_whitespace().filter(|word| word.parse::<f64>().is_ok());
        assert_eq!(figures.count(), WIDTHS.len(), "{line}");
    }

    #[test]
    fn what_does_not_count_is_told_with_its_reason_and_a_way_out() {
        let calibration = off_by([20e3; 3], vec!["3 requests waited".to_owned()]);
        assert!(text(&calibration).contains("does not count: 3 requests waited"));
        let advice = advice(&calibration);
        assert!(
            advice.contains("because of M/D/1 at 0.6") && advice.contains("--spin"),
            "{advice}"
        );
    }

    #[test]
    fn the_record_can_be_read_and_is_never_overwritten() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a");
        let draft = reserve(&folder).expect("it is free");
        store(&off_by([20e3; 3], Vec::new()), draft).expect("it can be written");
        let file = folder.join(FILE);
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
        assert_eq!(record["bias_us"], 20.0);
        assert_eq!(record["findings"][0]["rows"][2]["statistic"], "p99");
        assert_eq!(reserve(&folder).expect_err("taken").status(), 2);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
    }
}
