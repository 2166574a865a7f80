//! Reading interval logs: what is whole is used, what is not is named.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::{Map, Value};

use super::interval_log::{CHECKSUM, SECONDS};
use super::tag::Tag;
use crate::failure::Failure;

/// What an interval log holds.
#[derive(Clone, Debug, Default)]
pub struct IntervalFile {
    /// The fields of the comments at the head and at the end.
    pub fields: Map<String, Value>,
    /// The histograms, in the order of the file.
    pub intervals: Vec<Interval>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// Blocks with histograms.
    seconds: u64,
}

/// One line of a log. The histogram stays packed, which takes a hundredth of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Whose times, and which.
    pub tag: Tag,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// The times in nanoseconds: HdrHistogram V2, deflated, in base64. It can be unpacked.
    packed: String,
}

/// Lines that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first of them, counted from 1.
    pub first: usize,
    /// The last of them.
    pub last: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, what } = self;
        match last - first {
            0 => write!(formatter, "line {first}: {what}"),
            _ => write!(formatter, "lines {first} to {last}: {what}"),
        }
    }
}

impl IntervalFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it can't be opened or read. Damage inside is not an error, but listed.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let octets = std::fs::read(path);
        let octets =
            octets.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(Self::parse(&octets))
    }

    /// Reads what a file holds.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Self {
        let mut file = Self::default();
        let mut block = Block { first: 1, ..Block::default() };
        for (at, line) in octets.split_inclusive(|&octet| octet == b'\n').enumerate() {
            match checksum(line) {
                Some(sum) => {
                    file.take(&block, sum);
                    block = Block { first: at + 2, ..Block::default() };
                }
                None => block.lines.push(line),
            }
        }
        file.note_the_end(&block);
        file
    }

    /// Adds a block, if it is what its checksum was made of.
    fn take(&mut self, block: &Block<'_>, sum: u32) {
        if crc32fast::hash(&block.lines.concat()) != sum {
            return self.damage.push(block.damage("differ from what was written (checksum)"));
        }
        self.seconds += u64::from(block.lines.iter().any(|line| line.starts_with(b"Tag=")));
        for (at, line) in (block.first..).zip(&block.lines) {
            if let Err(what) = self.take_line(line) {
                self.damage.push(Damage { first: at, last: at, what });
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), String> {
        match line.first() {
            Some(b'#') => self.fields.extend(field(line)),
            Some(b'"') => (),
            _ => self.intervals.push(interval(line)?),
        }
        Ok(())
    }

    /// The last block of a log says how many seconds there are. What follows the last checksum has
    /// lost its own.
    fn note_the_end(&mut self, rest: &Block<'_>) {
        let whole = self.damage.is_empty();
        let what = match self.fields.get(SECONDS).and_then(Value::as_u64) {
            _ if !rest.lines.is_empty() => "no checksum follows: the file was cut off".to_owned(),
            None => "the file ends here, but the log was longer".to_owned(),
            Some(wanted) if whole && wanted != self.seconds => {
                format!("of {wanted} seconds, {} are there", self.seconds)
            }
            Some(_) => return,
        };
        self.damage.push(rest.damage(&what));
    }
}

/// The lines that one checksum is made of.
#[derive(Default)]
struct Block<'a> {
    first: usize,
    lines: Vec<&'a [u8]>,
}

impl Block<'_> {
    fn damage(&self, what: &str) -> Damage {
        let last = self.first + self.lines.len().saturating_sub(1);
        Damage { first: self.first, last, what: what.to_owned() }
    }
}

/// The number in `#[crc32: 9d2c1f0a]`.
fn checksum(line: &[u8]) -> Option<u32> {
    let (key, value) = comment(line)?;
    let sum = u32::from_str_radix(value, 16).ok()?;
    (key == CHECKSUM && value == format!("{sum:08x}")).then_some(sum)
}

/// A comment that is a field: `#[key: value]`.
fn comment(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_prefix("#[")?.strip_suffix(']')?.split_once(": ")
}

/// The same, where the value is JSON; the format's own comments are not.
fn field(line: &[u8]) -> Option<(String, Value)> {
    let (key, value) = comment(line)?;
    Some((key.to_owned(), serde_json::from_str(value).ok()?))
}

fn interval(line: &[u8]) -> Result<Interval, String> {
    let Some(Ok(LogEntry::Interval(entry))) = IntervalLogIterator::new(line).next() else {
        return Err("neither a comment nor an interval".to_owned());
    };
    let tag = entry.tag().ok_or("an interval without a tag")?;
    let interval = Interval {
        tag: tag.as_str().parse()?,
        start: entry.start_timestamp(),
        length: entry.duration(),
        packed: entry.encoded_histogram().to_owned(),
    };
    unpack(&interval.packed).map(|_| interval)
}

fn unpack(packed: &str) -> Result<Histogram<u64>, String> {
    let octets = STANDARD.decode(packed);
    let octets = octets.map_err(|error| format!("the histogram is not base64: {error}"))?;
    let times = Deserializer::new().deserialize(&mut octets.as_slice());
    times.map_err(|error| format!("not a histogram: {error}"))
}

impl Interval {
    /// The times in nanoseconds.
    #[must_use]
    pub fn times(&self) -> Histogram<u64> {
        unpack(&self.packed).expect("it was unpacked when it was read")
    }

    /// When it was over, since the Unix epoch.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.start.saturating_add(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Times;
    use crate::records::interval_log::IntervalLog;
    use crate::records::tag::{Origin, Series};

    const RESPONSE: Tag = Tag { origin: Origin::Rank(2), series: Series::Response };
    const LAG: Tag = Tag { origin: Origin::Rank(2), series: Series::Lag };

    fn times(second: u64) -> Histogram<u64> {
        let mut times = Times::default();
        (1..=50).for_each(|n| times.record(n * n * 7919 * (second + 1)));
        times.histogram().clone()
    }

    fn start(second: u64) -> Duration {
        Duration::from_micros(1_700_000_000_250_000 + second * 1_000_000)
    }

    fn log(seconds: u64) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut log = IntervalLog::over(&mut octets);
        let header = serde_json::json!({"rank": 2, "host": "a, \"b\"]"});
        log.begin(&header, start(0)).expect("memory has room");
        for second in 0..seconds {
            let both = [(RESPONSE, &times(second)), (LAG, &Times::default().histogram().clone())];
            log.write_second(start(second), Duration::from_secs(1), &both).expect("room");
        }
        log.end(&serde_json::json!({"answered": 150})).expect("room");
        octets
    }

    #[test]
    fn is_read_as_it_was_written() {
        let file = IntervalFile::parse(&log(3));
        assert_eq!(file.damage, []);
        assert_eq!(file.fields["host"], "a, \"b\"]");
        assert_eq!((&file.fields["rank"], &file.fields["answered"]), (&2.into(), &150.into()));
        assert_eq!(file.intervals.len(), 6);
        for (at, interval) in file.intervals.iter().enumerate() {
            let second = at as u64 / 2;
            assert_eq!((interval.start, interval.length), (start(second), Duration::from_secs(1)));
        }
        assert_eq!(file.intervals[2].times(), times(1));
        assert_eq!((file.intervals[5].tag, file.intervals[5].times().len()), (LAG, 0));
    }

    #[test]
    fn the_parser_of_the_crate_reads_it_too() {
        let log = log(3);
        let entries: Vec<_> = IntervalLogIterator::new(&log).map(|entry| entry.unwrap()).collect();
        assert_eq!(entries[0], LogEntry::StartTime(start(0)));
        assert_eq!(entries.len(), 7);
    }

    #[test]
    fn every_cut_is_noticed() {
        let log = log(2);
        for length in 0..log.len() {
            let file = IntervalFile::parse(&log[..length]);
            // Only the end of the last line is not missed.
            assert_eq!(file.damage.is_empty(), length == log.len() - 1, "cut at {length}");
        }
    }

    #[test]
    fn a_garbled_line_is_named_and_the_others_are_read() {
        let mut log = log(3);
        let lines: Vec<_> = log.split(|&octet| octet == b'\n').map(<[u8]>::len).collect();
        let tagged: Vec<_> =
            log.split(|&octet| octet == b'\n').map(|l| l.starts_with(b"Tag")).collect();
        let garbled = tagged.iter().rposition(|&tagged| tagged).expect("an interval") - 3;
        let offset: usize = lines[..garbled].iter().map(|length| length + 1).sum();
        log[offset + 60] ^= 1;
        let file = IntervalFile::parse(&log);
        let [damage] = &file.damage[..] else { panic!("{:?}", file.damage) };
        assert!((damage.first..=damage.last).contains(&(garbled + 1)), "{damage}");
        assert_eq!(file.intervals.len(), 4);
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let whole = log(2);
        for at in 0..whole.len() {
            let mut log = whole.clone();
            log[at] ^= 1 << (at % 8);
            assert!(!IntervalFile::parse(&log).damage.is_empty(), "at {at}");
        }
    }

    #[test]
    fn a_second_that_was_taken_out_is_missed() {
        let log = String::from_utf8(log(3)).expect("text");
        let blocks: Vec<_> = log.split_inclusive("#[crc32").collect();
        let without = [blocks[0], blocks[1], &blocks[3..].concat()].concat();
        let file = IntervalFile::parse(without.as_bytes());
        assert_eq!(file.damage.len(), 1, "{:?}", file.damage);
    }
}
