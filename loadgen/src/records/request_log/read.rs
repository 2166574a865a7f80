//! Reading: frame by frame, so that a log of any length needs little memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::code::Before;
use super::record::Record;
use super::{END, FRAME, HEADER, MAGIC, VERSION, checksum};
use crate::failure::Failure;

/// A log that is being read.
#[derive(Debug)]
pub struct RequestFile<R> {
    path: PathBuf,
    input: R,
    /// Where in the file the next frame begins.
    offset: u64,
    header: Value,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Records of one thread, in the order in which they were noted.
    Records {
        /// The number of the thread.
        thread: u32,
        /// Its records.
        records: Vec<Record>,
    },
    /// The end.
    End {
        /// The length of the measuring phase.
        elapsed: Duration,
        /// Records for which there was no room.
        missing: u64,
    },
}

impl RequestFile<BufReader<File>> {
    /// Opens a log.
    ///
    /// # Errors
    /// If it can't be opened, or is no such log.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path);
        let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Self::over(path, BufReader::new(file))
    }
}

impl<R: Read> RequestFile<R> {
    /// Reads the head of a log; `path` is for messages.
    pub(super) fn over(path: &Path, input: R) -> Result<Self, Failure> {
        let (path, header) = (path.to_owned(), Value::Null);
        let mut file = Self { path, input, offset: 0, header };
        file.header = file.read_header()?;
        Ok(file)
    }

    /// The JSON object that the log began with.
    #[must_use]
    pub fn header(&self) -> &Value {
        &self.header
    }

    /// Reads on. After [`Frame::End`] there is nothing more.
    ///
    /// # Errors
    /// If what comes is not what was written; the message says where.
    pub fn frame(&mut self) -> Result<Frame, Failure> {
        let head: [u8; 12] = self.take(12, "the head of a frame")?.try_into().expect("12 octets");
        let (length, thread, sum) = (word(&head, 0), word(&head, 4), word(&head, 8));
        if length as usize > FRAME {
            return Err(self.damage("a frame is longer than one can be"));
        }
        let payload = self.take(length as usize, "a frame")?;
        if checksum(&head[..8], &payload) != sum {
            return Err(self.damage("a frame is not what was written (checksum)"));
        }
        let frame =
            if thread == END { self.end(&payload)? } else { self.records(thread, &payload)? };
        self.offset += 12 + u64::from(length);
        Ok(frame)
    }

    fn read_header(&mut self) -> Result<Value, Failure> {
        let head = self.take(16, "the head of the file")?;
        if head[..8] != MAGIC[..] {
            return Err(self.damage("this is no log of requests"));
        }
        let (version, length) = (word(&head, 8), word(&head, 12) as usize);
        if version != VERSION {
            return Err(self.damage(&format!("version {version} of the log is not known here")));
        }
        if length > HEADER {
            return Err(self.damage("the header is longer than one can be"));
        }
        let json = self.take(length, "the header")?;
        let sum = self.take(4, "the header")?;
        if word(&sum, 0) != checksum(&head, &json) {
            return Err(self.damage("the header is not what was written (checksum)"));
        }
        let header = serde_json::from_slice(&json);
        let header = header.map_err(|error| self.damage(&format!("the header: {error}")))?;
        self.offset = (16 + length + 4) as u64;
        Ok(header)
    }

    fn records(&self, thread: u32, mut payload: &[u8]) -> Result<Frame, Failure> {
        let (mut before, mut records) = (Before::default(), Vec::new());
        while !payload.is_empty() {
            let record = before.decode(&mut payload);
            records.push(record.ok_or_else(|| self.damage("there is no record in a frame"))?);
        }
        Ok(Frame::Records { thread, records })
    }

    fn end(&mut self, payload: &[u8]) -> Result<Frame, Failure> {
        let Ok(payload) = <[u8; 16]>::try_from(payload) else {
            return Err(self.damage("the end is not what was written"));
        };
        if self.input.read(&mut [0]).map_err(|error| self.damage(&error.to_string()))? != 0 {
            return Err(self.damage("the log goes on after its end"));
        }
        let numbers = u128::from_le_bytes(payload);
        let elapsed = Duration::from_nanos(numbers as u64);
        Ok(Frame::End { elapsed, missing: (numbers >> 64) as u64 })
    }

    /// Takes that many octets.
    fn take(&mut self, length: usize, what: &str) -> Result<Vec<u8>, Failure> {
        let mut octets = vec![0; length];
        match self.input.read_exact(&mut octets) {
            Ok(()) => Ok(octets),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damage(&format!("the file was cut off in {what}")))
            }
            Err(error) => Err(self.damage(&error.to_string())),
        }
    }

    fn damage(&self, what: &str) -> Failure {
        let Self { path, offset, .. } = self;
        Failure::Failed(format!("{}, from octet {offset}: {what}", path.display()))
    }
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::request_log::pen::{RequestLog, Written};
    use crate::records::request_log::record::Outcome;

    const ELAPSED: Duration = Duration::from_secs(3);

    fn record(n: i64) -> Record {
        let outcome = match n % 7 {
            0 => Outcome::Lost { sent: n * 1000 + 5 },
            _ => Outcome::Answered { sent: n * 1000 + 5, ended: n * 1100 + 77 },
        };
        Record { planned: n * 1000 - 50_000, connection: n as u32 % 13, outcome }
    }

    /// A log of two threads.
    fn log(records: i64) -> (Vec<u8>, Written) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("requests.log");
        let header = serde_json::json!({"rank": 1});
        let (log, pens) = RequestLog::create(&path, &header, 2).expect("a log");
        std::thread::scope(|scope| {
            for mut pen in pens {
                scope.spawn(move || (0..records).for_each(|n| pen.note(&record(n))));
            }
        });
        let written = log.finish(ELAPSED).expect("room");
        (std::fs::read(&path).expect("a file"), written)
    }

    fn read(octets: &[u8]) -> Result<Vec<Vec<Record>>, Failure> {
        let mut file = RequestFile::over(Path::new("a.log"), octets)?;
        let mut threads = vec![Vec::new(); 2];
        loop {
            match file.frame()? {
                Frame::Records { thread, records } => threads[thread as usize].extend(records),
                Frame::End { elapsed, missing } => {
                    assert_eq!((elapsed, missing), (ELAPSED, 0));
                    return Ok(threads);
                }
            }
        }
    }

    #[test]
    fn is_read_as_it_was_written() {
        // Few enough to fit into the frames of a pen, however slow the disk is.
        let (octets, written) = log(60_000);
        assert_eq!(written, Written { records: 120_000, missing: 0 });
        let all: Vec<_> = (0..60_000).map(record).collect();
        assert!(read(&octets).expect("it is whole") == [all.clone(), all]);
        let file = RequestFile::over(Path::new("a.log"), &octets[..]).expect("it is whole");
        assert_eq!(file.header()["rank"], 1);
    }

    #[test]
    fn every_cut_is_noticed() {
        let (octets, _) = log(300);
        for length in 0..octets.len() {
            let failure = read(&octets[..length]).expect_err("it was cut off");
            assert!(failure.to_string().contains("cut off"), "{length}: {failure}");
        }
        let failure = read(&[&octets[..], b"x"].concat()).expect_err("it is too long");
        assert!(failure.to_string().contains("goes on after its end"), "{failure}");
    }

    #[test]
    fn no_flipped_octet_goes_unnoticed() {
        let (whole, _) = log(300);
        let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
        for _ in 0..10_000 {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (at, flip) = (state as usize % whole.len(), (state >> 56) as u8 | 1);
            let mut octets = whole.clone();
            octets[at] ^= flip;
            assert!(read(&octets).is_err(), "octet {at} flipped by {flip}");
        }
    }

    #[test]
    fn octets_at_random_are_no_records() {
        let (empty, _) = log(0);
        let file = RequestFile::over(Path::new("a.log"), &empty[..]).expect("an empty log");
        for length in 0..300_usize {
            let payload: Vec<u8> = (0..length).map(|n| (n * n * 31 + length) as u8).collect();
            // Whatever it says, it comes to an end.
            let _ = file.records(0, &payload);
        }
        assert!(file.records(0, &[200, 0, 0, 0, 0]).is_err());
    }
}
