//! What one condition took in one pass, as a line for programs.

use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

use super::room::Skip;
use super::sample::{Sample, middle_mean, quantile};

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a condition and pass, as soon as it is measured
    Csv,
    /// An array of objects, at the end
    Json,
}

/// One condition in one pass.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The poller.
    pub poller: &'static str,
    /// The number of the pass, from 1.
    pub pass: u32,
    /// The place of the condition in the random order of the pass, from 1.
    pub place: usize,
    /// Watched connections that say nothing.
    pub idle: usize,
    /// Watched connections that are ready at each wait.
    pub active: usize,
    /// One more than the highest watched descriptor in the table of the thread that waits.
    pub highest_fd: Option<usize>,
    /// Descriptor tables that the connections are in.
    pub tables: Option<usize>,
    /// Rounds made.
    pub rounds: usize,
    /// What was taken off each time: the reading of the clock, in nanoseconds.
    pub clock_ns: Option<f64>,
    /// 5 % of the waits took at most so many nanoseconds.
    pub wait_q05_ns: Option<f64>,
    /// A quarter of the waits.
    pub wait_q25_ns: Option<f64>,
    /// Half of the waits.
    pub wait_median_ns: Option<f64>,
    /// Three quarters of the waits.
    pub wait_q75_ns: Option<f64>,
    /// 95 % of the waits.
    pub wait_q95_ns: Option<f64>,
    /// The mean of the middle half of the waits.
    pub wait_middle_mean_ns: Option<f64>,
    /// Asking for one descriptor again, where the trigger is one-shot: the median.
    pub rearm_median_ns: Option<f64>,
    /// All rounds from end to end, with the parts that are not timed, in microseconds.
    pub wall_us: Option<u64>,
    /// CPU time of the thread in that, in microseconds.
    pub cpu_us: Option<u64>,
    /// Why nothing was measured: `ceiling` or `table`.
    pub skipped: Option<&'static str>,
    /// The same in a sentence.
    pub note: String,
}

impl Row {
    /// The same row, with what the rounds took.
    #[must_use]
    pub fn with(self, sample: &Sample) -> Self {
        let waits = |share| quantile(&sample.waits_ns, share);
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).ok();
        Self {
            rounds: sample.waits_ns.len(),
            wait_q05_ns: waits(0.05),
            wait_q25_ns: waits(0.25),
            wait_median_ns: waits(0.5),
            wait_q75_ns: waits(0.75),
            wait_q95_ns: waits(0.95),
            wait_middle_mean_ns: middle_mean(&sample.waits_ns),
            rearm_median_ns: quantile(&sample.rearms_ns, 0.5),
            wall_us: micros(sample.wall),
            cpu_us: micros(sample.cpu),
            ..self
        }
    }

    /// The same row, with the reason why there is nothing.
    #[must_use]
    pub fn without(self, skip: Skip) -> Self {
        Self { skipped: Some(skip.word()), note: skip.to_string(), ..self }
    }
}

/// Where rows go.
pub(crate) struct Writer<W: Write> {
    to: Target<W>,
}

enum Target<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json(W, Vec<Row>),
}

impl<W: Write> Writer<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W, format: Format) -> Self {
        let to = match format {
            Format::Csv => Target::Csv(Box::new(csv::Writer::from_writer(out))),
            Format::Json => Target::Json(out, Vec::new()),
        };
        Self { to }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When it is not taken.
    pub(crate) fn put(&mut self, row: Row) -> anyhow::Result<()> {
        match &mut self.to {
            Target::Csv(csv) => {
                csv.serialize(row)?;
                csv.flush()?;
            }
            Target::Json(_, rows) => rows.push(row),
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When it is not taken.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if let Target::Json(mut out, rows) = self.to {
            serde_json::to_writer_pretty(&mut out, &rows)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut octets = Vec::new();
        let mut writer = Writer::new(&mut octets, format);
        let row = Row { poller: "poll", idle: 5, active: 1, ..Row::default() };
        let sample = Sample { waits_ns: vec![100.0, 200.0, 300.0], ..Sample::default() };
        writer.put(row.clone().with(&sample)).unwrap();
        writer.put(row.without(Skip::Ceiling { ceiling: 1024, room: 1015 })).unwrap();
        writer.finish().unwrap();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn a_row_without_numbers_has_a_reason() {
        let csv = written(Format::Csv);
        let lines = csv.lines().collect::<Vec<_>>();
        assert!(lines[0].starts_with("poller,pass,place,idle,active,"), "{csv}");
        assert!(lines[1].contains(",200.0,"), "{csv}");
        assert!(lines[2].contains(",ceiling,") && lines[2].contains("1024"), "{csv}");
    }

    #[test]
    fn programs_get_an_array() {
        let rows = serde_json::from_str::<serde_json::Value>(&written(Format::Json)).unwrap();
        assert_eq!(rows[0]["wait_median_ns"], 200.0);
        assert_eq!(rows[0]["rearm_median_ns"], serde_json::Value::Null);
        assert_eq!(rows[1]["skipped"], "ceiling");
    }
}
