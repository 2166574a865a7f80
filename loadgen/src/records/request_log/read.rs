//! Reading: the end first, then frame by frame, so that a log of any length needs little memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::code::Before;
use super::record::Record;
use super::{END, END_OCTETS, FRAME, HEADER, MAGIC, VERSION, checksum};
use crate::failure::Failure;

/// A log that is being read.
#[derive(Debug)]
pub struct RequestFile<R> {
    path: PathBuf,
    input: R,
    /// Where in the file reading goes on.
    offset: u64,
    /// Where the end begins.
    end: u64,
    header: Value,
    elapsed: Duration,
    missing: u64,
}

/// A piece of a log: records of one thread, in the order in which they were noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The number of the thread.
    pub thread: u32,
    /// Its records.
    pub records: Vec<Record>,
}

impl RequestFile<BufReader<File>> {
    /// Opens a log.
    ///
    /// # Errors
    /// If it can't be opened, is no such log, or was cut off.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path);
        let file = file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Self::over(path, BufReader::new(file))
    }
}

impl<R: Read + Seek> RequestFile<R> {
    /// Reads head and end of a log; `path` is for messages.
    pub(super) fn over(path: &Path, input: R) -> Result<Self, Failure> {
        let mut file = Self {
            path: path.to_owned(),
            input,
            offset: 0,
            end: 0,
            header: Value::Null,
            elapsed: Duration::ZERO,
            missing: 0,
        };
        file.header = file.read_header()?;
        let begin = file.offset;
        file.read_end()?;
        file.seek(SeekFrom::Start(begin))?;
        Ok(file)
    }

    /// The JSON object that the log began with.
    #[must_use]
    pub fn header(&self) -> &Value {
        &self.header
    }

    /// The length of the measuring phase.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Requests for whose records there was no room.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The next frame, if there is one.
    ///
    /// # Errors
    /// If what comes is not what was written; the message says where.
    pub fn frame(&mut self) -> Result<Option<Frame>, Failure> {
        if self.offset == self.end {
            return Ok(None);
        }
        let head = self.take(12, "the head of a frame")?;
        let (length, thread, sum) = (word(&head, 0), word(&head, 4), word(&head, 8));
        if length as usize > FRAME {
            return Err(self.damage("a frame is longer than one can be"));
        }
        let payload = self.take(length as usize, "a frame")?;
        if checksum(&head[..8], &payload) != sum {
            return Err(self.damage("a frame is not what was written (checksum)"));
        }
        let records = self.records(&payload)?;
        self.offset += 12 + u64::from(length);
        Ok(Some(Frame { thread, records }))
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

    fn read_end(&mut self) -> Result<(), Failure> {
        let length = self.seek(SeekFrom::End(0))?;
        let end = length.checked_sub(END_OCTETS).filter(|&end| end >= self.offset);
        let cut = Failure::Failed(format!(
            "{}: the file was cut off, it ends at octet {length} without the end of a log",
            self.path.display()
        ));
        let Some(end) = end else { return Err(cut) };
        self.seek(SeekFrom::Start(end))?;
        let octets = self.take(END_OCTETS as usize, "the end")?;
        let (head, payload) = octets.split_at(12);
        let sum = checksum(&head[..8], payload);
        if (word(head, 0), word(head, 4), word(head, 8)) != (16, END, sum) {
            return Err(cut);
        }
        (self.end, self.elapsed) = (end, Duration::from_nanos(long(payload, 0)));
        self.missing = long(payload, 8);
        Ok(())
    }

    fn records(&self, mut payload: &[u8]) -> Result<Vec<Record>, Failure> {
        let (mut before, mut records) = (Before::default(), Vec::new());
        while !payload.is_empty() {
            let record = before.decode(&mut payload);
            records.push(record.ok_or_else(|| self.damage("there is no record in a frame"))?);
        }
        Ok(records)
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

    fn seek(&mut self, to: SeekFrom) -> Result<u64, Failure> {
        self.input.seek(to).map_err(|error| self.damage(&error.to_string()))
    }

    fn damage(&self, what: &str) -> Failure {
        let Self { path, offset, .. } = self;
        Failure::Failed(format!("{}, from octet {offset}: {what}", path.display()))
    }
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

fn long(octets: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(octets[at..at + 8].try_into().expect("eight octets"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

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

    fn open(octets: &[u8]) -> Result<RequestFile<Cursor<&[u8]>>, Failure> {
        RequestFile::over(Path::new("a.log"), Cursor::new(octets))
    }

    fn read(octets: &[u8]) -> Result<Vec<Vec<Record>>, Failure> {
        let mut file = open(octets)?;
        assert_eq!((file.elapsed(), file.missing()), (ELAPSED, 0));
        let mut threads = vec![Vec::new(); 2];
        while let Some(Frame { thread, records }) = file.frame()? {
            threads[thread as usize].extend(records);
        }
        Ok(threads)
    }

    #[test]
    fn is_read_as_it_was_written() {
        // Few enough to fit into the frames of a pen, however slow the disk is.
        let (octets, written) = log(60_000);
        assert_eq!(written, Written { records: 120_000, missing: 0 });
        let all: Vec<_> = (0..60_000).map(record).collect();
        assert!(read(&octets).expect("it is whole") == [all.clone(), all]);
        let file = open(&octets).expect("it is whole");
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
        assert!(failure.to_string().contains("without the end"), "{failure}");
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
        let file = open(&empty).expect("an empty log");
        for length in 0..300_usize {
            let payload: Vec<u8> = (0..length).map(|n| (n * n * 31 + length) as u8).collect();
            // Whatever it says, it comes to an end.
            let _ = file.records(&payload);
        }
        assert!(file.records(&[200, 0, 0, 0, 0]).is_err());
    }
}
