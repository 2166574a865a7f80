//! The HdrHistogram interval log, format 1.3: one line a second and tag, each with a histogram.
//!
//! ```text
//! #[rank: 0]                                        whose log it is
//! #[Histogram log format version 1.3]
//! #[StartTime: 1700000000.250000 (seconds since epoch)]
//! "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
//! #[crc32: 9d2c1f0a]
//! Tag=r0.resp,1700000000.250000,1.000000,0.731135,HISTFAAAAF…
//! Tag=r0.serv,1700000000.250000,1.000000,0.694271,HISTFAAAAE…
//! #[crc32: 01f3ab77]
//! #[seconds: 1]
//! #[crc32: 5b8e0c66]
//! ```
//!
//! Timestamps are absolute, in seconds, and there is no `BaseTime`: so a line means the same in
//! whatever file it stands. Values are in nanoseconds; the column with the largest one is in
//! milliseconds, as the Java tools write it. What the format does not know goes into comments,
//! which every reader skips: the identity of the agent, and the CRC-32 of the lines since the last
//! one, so that a garbled line is found and not counted.
//!
//! The writer of the hdrhistogram crate borrows its output for as long as it lives, so the lines
//! are put together here; the octets inside them are the crate's.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde::Serialize;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::tag::Tag;
use crate::failure::Failure;

/// The column with the largest value is divided by this: nanoseconds become milliseconds.
const MAX_DIVISOR: f64 = 1e6;

const VERSION: &str = "#[Histogram log format version 1.3]";
const LEGEND: &str = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
                      \"Interval_Compressed_Histogram\"";

/// The comment that says how many seconds a log has; one without it was cut off.
pub(super) const SECONDS: &str = "seconds";

/// The comment that closes a block.
pub(super) const CHECKSUM: &str = "crc32";

/// A log that is being written.
pub struct IntervalLog<W: Write> {
    output: W,
    serializer: V2DeflateSerializer,
    /// The lines since the last checksum.
    block: String,
    octets: Vec<u8>,
    seconds: u64,
}

impl IntervalLog<Draft> {
    /// Begins a log at that place, with the fields of `header` (a map or a struct) as comments.
    /// `start` is the time since the Unix epoch.
    ///
    /// # Errors
    /// If there is a file already, or none can be made.
    pub fn create(path: &Path, header: &impl Serialize, start: Duration) -> Result<Self, Failure> {
        let mut log = Self::over(Draft::create(path)?);
        let begun = log.begin(header, start);
        begun.map_err(|error| log.output.failure(&error))?;
        Ok(log)
    }

    /// Adds the histograms of an interval that began at `start`, a time since the Unix epoch.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn second(
        &mut self,
        start: Duration,
        length: Duration,
        times: &[(Tag, &Histogram<u64>)],
    ) -> Result<(), Failure> {
        let written = self.write_second(start, length, times);
        written.map_err(|error| self.output.failure(&error))
    }

    /// Puts the log into its place, after the fields of `footer`: what is known at the end only.
    ///
    /// # Errors
    /// If not everything could be written.
    pub fn finish(mut self, footer: &impl Serialize) -> Result<(), Failure> {
        let ended = self.end(footer);
        ended.map_err(|error| self.output.failure(&error))?;
        self.output.settle()
    }
}

impl<W: Write> IntervalLog<W> {
    pub(super) fn over(output: W) -> Self {
        Self {
            output,
            serializer: V2DeflateSerializer::new(),
            block: String::new(),
            octets: Vec::new(),
            seconds: 0,
        }
    }

    pub(super) fn begin(&mut self, header: &impl Serialize, start: Duration) -> io::Result<()> {
        self.comments(header)?;
        let start = seconds(start);
        self.line(VERSION);
        self.line(&format!("#[StartTime: {start} (seconds since epoch)]"));
        self.line(LEGEND);
        self.close_block()
    }

    pub(super) fn write_second(
        &mut self,
        start: Duration,
        length: Duration,
        times: &[(Tag, &Histogram<u64>)],
    ) -> io::Result<()> {
        for (tag, histogram) in times {
            self.octets.clear();
            let encoded = self.serializer.serialize(*histogram, &mut self.octets);
            encoded.map_err(|error| io::Error::other(error.to_string()))?;
            let (start, length) = (seconds(start), seconds(length));
            let max = histogram.max() as f64 / MAX_DIVISOR;
            self.block.push_str(&format!("Tag={tag},{start},{length},{max:.6},"));
            STANDARD.encode_string(&self.octets, &mut self.block);
            self.block.push('\n');
        }
        self.seconds += u64::from(!times.is_empty());
        self.close_block()
    }

    pub(super) fn end(&mut self, footer: &impl Serialize) -> io::Result<()> {
        self.comments(footer)?;
        self.line(&format!("#[{SECONDS}: {}]", self.seconds));
        self.close_block()
    }

    fn comments(&mut self, fields: &impl Serialize) -> io::Result<()> {
        let fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(fields)?)?;
        for (key, value) in fields {
            self.line(&format!("#[{key}: {value}]"));
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        self.block.push_str(line);
        self.block.push('\n');
    }

    /// Writes the block. What is flushed is whole: a run that is killed leaves all its seconds.
    fn close_block(&mut self) -> io::Result<()> {
        let sum = crc32fast::hash(self.block.as_bytes());
        self.line(&format!("#[{CHECKSUM}: {sum:08x}]"));
        self.output.write_all(self.block.as_bytes())?;
        self.block.clear();
        self.output.flush()
    }
}

/// Seconds, to the microsecond.
fn seconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}
