//! Send times from a file: one a line, in seconds since the load began, in ascending order.
//!
//! ```text
//!   # what follows a comma is not read, so a CSV file does too
//!   0.000125
//!   0.000980,GET,/index.html
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::Duration;

/// The longest line in octets; a file of another kind is noticed before it fills the memory.
const LINE_LONGEST: u64 = 64 * 1024;

/// The most times, which take one gibibyte.
const TIMES_MOST: usize = 1 << 27;

/// Send times, and where they are from.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    file: Arc<str>,
    times: Arc<[u64]>,
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// If it can't be read, has no times, or a line of it, which is named, is not a time or is
    /// earlier than the one before.
    pub fn read(file: &str) -> Result<Self, String> {
        let opened = File::open(file).map_err(|error| format!("{file}: {error}"))?;
        let times = times(BufReader::new(opened)).map_err(|error| format!("{file}{error}"))?;
        Ok(Self { file: file.into(), times: times.into() })
    }

    /// The path of the file, as given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The times in nanoseconds.
    #[must_use]
    pub fn times(&self) -> &Arc<[u64]> {
        &self.times
    }

    /// Requests a second, from the beginning of the load to the last one.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let last_ns = self.times.last().copied().unwrap_or(0).max(1);
        self.times.len() as f64 * 1e9 / last_ns as f64
    }
}

/// Reads all lines. An error begins with the number of the line, as `:7: `.
fn times(mut reader: impl BufRead) -> Result<Vec<u64>, String> {
    let (mut times, mut line) = (Vec::new(), Vec::new());
    for number in 1_u64.. {
        let wrong = |error: String| format!(":{number}: {error}");
        line.clear();
        let read = reader.by_ref().take(LINE_LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|error| wrong(error.to_string()))? == 0 {
            break;
        }
        if let Some(time) = time(&line).map_err(wrong)? {
            follow(&mut times, time).map_err(wrong)?;
        }
    }
    if times.is_empty() { Err(": there is no time in it".to_owned()) } else { Ok(times) }
}

/// The time of a line in nanoseconds; none if it has only a comment or is empty.
fn time(line: &[u8]) -> Result<Option<u64>, String> {
    if line.len() as u64 == LINE_LONGEST {
        return Err(format!("the line is longer than {LINE_LONGEST} octets"));
    }
    let line = String::from_utf8_lossy(line);
    let content = line.split('#').next().unwrap_or_default();
    let first = content.split(',').next().unwrap_or_default().trim();
    if first.is_empty() {
        return Ok(None);
    }
    let advice = "a time is a number of seconds such as 0.25; other lines begin with #";
    let wrong = || format!("{first:?} is not a time ({advice})");
    let seconds: f64 = first.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    u64::try_from(time.as_nanos()).map(Some).map_err(|_| wrong())
}

fn follow(times: &mut Vec<u64>, time: u64) -> Result<(), String> {
    match times.last() {
        Some(&before) if time < before => {
            let [time, before] = [time, before].map(Duration::from_nanos);
            Err(format!("{time:?} is earlier than {before:?} before it: sort the file"))
        }
        _ if times.len() == TIMES_MOST => Err(format!("there are more than {TIMES_MOST} times")),
        _ => {
            times.push(time);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(content: &[u8]) -> (String, Result<Trace, String>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let trace = Trace::read(&path);
        (path, trace)
    }

    #[test]
    fn comments_columns_and_empty_lines_are_tolerated() {
        let content = b"# head\n0\n\n0.000125 # first\r\n0.25,GET,/\n 1e1 ,,\n10.000000001";
        let trace = read(content).1.unwrap();
        let expected = [0, 125_000, 250_000_000, 10_000_000_000, 10_000_000_001];
        assert_eq!(trace.times().as_ref(), expected);
        assert!((trace.rate() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let cases: [(&[u8], &str); 8] = [
            (b"0\ntime\n", ":2: \"time\" is not a time"),
            (b"0.1\n-1\n", ":2: \"-1\" is not a time"),
            (b"nan\n", ":1: \"nan\" is not a time"),
            (b"\n\ninf\n", ":3: \"inf\" is not a time"),
            (b"1e300\n", ":1: \"1e300\" is not a time"),
            (b"\xff\xfe\n", ":1: "),
            (b"0.5\n0.5\n0.25\n", ":3: 250ms is earlier than 500ms before it"),
            (b"# nothing\n", ": there is no time in it"),
        ];
        for (content, expected) in cases {
            let (path, trace) = read(content);
            let error = trace.unwrap_err();
            assert!(error.starts_with(&format!("{path}{expected}")), "{error}");
        }
        let missing = Trace::read("/nonexistent/trace").unwrap_err();
        assert!(missing.starts_with("/nonexistent/trace: "), "{missing}");
    }

    #[test]
    fn a_file_without_lines_does_not_fill_the_memory() {
        let error = Trace::read("/dev/zero").unwrap_err();
        assert!(error.starts_with("/dev/zero:1: the line is longer than"), "{error}");
    }
}
