//! Who writes lines down, so that nobody else has to wait for whoever reads them.
//!
//! A terminal that is held by Ctrl-S, or a pipe that nobody empties, holds up every write to it for
//! as long as it likes. So a thread of its own writes, and the lines wait for it in a queue that
//! has an end: what finds no room there is counted, and so is what cannot be written, as on a disk
//! that is full; the count is written as soon as lines are again.
//!
//! As long as all is well, a line is written when [`Scribe::write`] returns: whoever has seen what
//! an event is about can read of it. Once a line has got stuck nobody waits any more.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// Lines that may wait.
const LINES_MAX: usize = 1024;
/// For so long a line may hold up whoever has something to say, once.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes lines, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Scribe(Arc<Desk>);

/// How a scribe writes that so many lines are missing.
pub(crate) type Gap = Box<dyn Fn(u64) -> Vec<u8> + Send>;

#[derive(Debug, Default)]
struct Desk {
    papers: Mutex<Papers>,
    changed: Condvar,
}

/// A line, perhaps an empty one, and how many are missing before it.
#[derive(Debug)]
struct Line {
    lost: u64,
    octets: Vec<u8>,
}

#[derive(Debug, Default)]
struct Papers {
    waiting: VecDeque<Line>,
    /// Lines that ever found room, and those of them that are done.
    taken: u64,
    done: u64,
    /// Lines that have found none since the last one that did.
    lost: u64,
    /// Whether a line has used up all patience, and not all of them are done since.
    stuck: bool,
    /// Whether no line will come any more.
    closed: bool,
}

impl Scribe {
    /// One who writes to `out`.
    ///
    /// # Errors
    /// When there is no thread left for it.
    pub(crate) fn new(out: impl Write + Send + 'static, gap: Gap) -> io::Result<Self> {
        let desk = Arc::<Desk>::default();
        let own = Arc::clone(&desk);
        Builder::new().name("scribe".into()).spawn(move || own.work(Pen::new(out, gap)))?;
        Ok(Self(desk))
    }

    /// Has a line written.
    pub(crate) fn write(&self, line: Vec<u8>) {
        let mut papers = self.0.papers();
        if papers.waiting.len() >= LINES_MAX {
            papers.lost += 1;
            return;
        }
        papers.take(line);
        let number = papers.taken;
        self.0.changed.notify_all();
        self.0.wait_for(number, papers);
    }
}

impl Drop for Scribe {
    /// Waits for what has been said, but not for a reader who does not read.
    fn drop(&mut self) {
        let mut papers = self.0.papers();
        papers.closed = true;
        papers.stuck = false;
        let number = papers.taken;
        self.0.changed.notify_all();
        self.0.wait_for(number, papers);
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the line of that number is done, or one before it gets stuck.
    fn wait_for(&self, number: u64, papers: MutexGuard<'_, Papers>) {
        let waits = |papers: &mut Papers| papers.done < number && !papers.stuck;
        let waited = self.changed.wait_timeout_while(papers, PATIENCE, waits);
        let (mut papers, result) = waited.unwrap_or_else(PoisonError::into_inner);
        papers.stuck |= result.timed_out();
    }

    fn work(&self, mut pen: Pen<impl Write>) {
        while let Some(line) = self.next() {
            pen.write(&line);
            let mut papers = self.papers();
            papers.done += 1;
            papers.stuck &= !papers.waiting.is_empty();
            self.changed.notify_all();
        }
    }

    /// Waits for the next line; there is none after the end.
    fn next(&self) -> Option<Line> {
        let idle =
            |papers: &mut Papers| papers.waiting.is_empty() && papers.lost == 0 && !papers.closed;
        let papers = self.changed.wait_while(self.papers(), idle);
        let mut papers = papers.unwrap_or_else(PoisonError::into_inner);
        if papers.waiting.is_empty() && papers.lost > 0 {
            // Nobody has said anything since.
            papers.take(Vec::new());
        }
        papers.waiting.pop_front()
    }
}

/// What a scribe writes with.
struct Pen<W> {
    out: W,
    gap: Gap,
    /// Lines that are missing since the last one that was written.
    missing: u64,
    /// Whether the last one may have been cut off in its middle.
    torn: bool,
}

impl<W: Write> Pen<W> {
    const fn new(out: W, gap: Gap) -> Self {
        Self { out, gap, missing: 0, torn: false }
    }

    fn write(&mut self, line: &Line) {
        self.missing += line.lost;
        // A line that nobody can be told of is no reason to stop.
        self.torn = self.put(&line.octets).is_err();
        self.missing += u64::from(self.torn && !line.octets.is_empty());
    }

    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
        }
        if self.missing > 0 {
            self.out.write_all(&(self.gap)(self.missing))?;
            self.missing = 0;
        }
        self.out.write_all(octets)
    }
}

impl Papers {
    fn take(&mut self, octets: Vec<u8>) {
        self.taken += 1;
        let lost = mem::take(&mut self.lost);
        self.waiting.push_back(Line { lost, octets });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::time::Instant;

    use super::*;

    fn gap() -> Gap {
        Box::new(|lost| format!("{lost} lost\n").into_bytes())
    }

    #[test]
    fn a_line_is_written_when_the_call_returns() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let scribe = Scribe::new(file.reopen().unwrap(), gap()).unwrap();
        for number in 1..=100 {
            scribe.write(b"line\n".to_vec());
            assert_eq!(std::fs::read(file.path()).unwrap().len(), 5 * number);
        }
    }

    /// A pipe holds 64 KiB (pipe(7)): less than what is said here.
    #[test]
    fn nobody_waits_for_one_who_does_not_read_and_what_is_lost_is_counted() {
        const SAID: u64 = 10_000;
        let (reader, writer) = io::pipe().unwrap();
        let scribe = Scribe::new(writer, gap()).unwrap();
        let start = Instant::now();
        for number in 0..SAID {
            scribe.write(format!("{number:0100}\n").into_bytes());
        }
        assert!(start.elapsed() < 60 * PATIENCE, "it waits once, and not for each line");
        let reading = std::thread::spawn(move || BufReader::new(reader).lines().collect());
        while scribe.0.papers().stuck {
            std::thread::yield_now();
        }
        scribe.write(b"the last\n".to_vec());
        drop(scribe);
        let lines: io::Result<Vec<String>> = reading.join().unwrap();
        let lines = lines.unwrap();
        assert_eq!(lines.last().unwrap(), "the last");
        let lost = lines.iter().filter_map(|line| line.strip_suffix(" lost")?.parse::<u64>().ok());
        let (lost, gaps) = lost.fold((0, 0), |(sum, count), lost| (sum + lost, count + 1));
        assert!(lost > SAID / 2 && gaps > 0, "{lost} in {gaps} gaps");
        assert_eq!(lost + lines.len() as u64, SAID + 1 + gaps);
    }

    /// A disk with room for so many octets.
    struct Disk(usize, Vec<u8>);

    impl Write for Disk {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = octets.len().min(self.0);
            self.0 -= count;
            self.1.extend_from_slice(&octets[..count]);
            if count > 0 { Ok(count) } else { Err(io::ErrorKind::StorageFull.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_has_no_room_for_is_counted() {
        let mut pen = Pen::new(Disk(8, Vec::new()), gap());
        for number in 1..=5 {
            if number == 5 {
                pen.out.0 = 100;
            }
            pen.write(&Line { lost: 0, octets: format!("line {number}\n").into() });
        }
        let text = String::from_utf8(pen.out.1).unwrap();
        assert_eq!(text, "line 1\nl\n3 lost\nline 5\n");
    }

    #[test]
    fn an_end_does_not_wait_for_one_who_does_not_read() {
        let (_reader, writer) = io::pipe().unwrap();
        let scribe = Scribe::new(writer, gap()).unwrap();
        scribe.write(vec![b'x'; 1 << 20]);
        drop(scribe);
    }
}
