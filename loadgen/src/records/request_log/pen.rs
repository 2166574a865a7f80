//! Writing: each engine thread has a pen, one thread has the file.
//!
//! A pen fills a frame and hands it through a channel to the writer, which gives it back empty. It
//! never waits: while all its frames are with the writer, because the disk can't keep up, its
//! records are counted as missing and not kept. As many messages fit into the channel as there can
//! be, so handing over can't fail either.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::code::{Before, LONGEST};
use super::record::Record;
use super::{END, FRAME, MAGIC, VERSION, checksum, frame_head};
use crate::failure::Failure;
use crate::records::draft::Draft;

/// Frames of one pen: 1 MiB, or a third of a second of a thread at 250,000 requests a second.
const FRAMES: usize = 16;

/// What came into a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Records that are in the file.
    pub records: u64,
    /// Records for which there was no room, since the disk could not keep up.
    pub missing: u64,
}

/// A log that is being written. Without [`finish`](Self::finish), it leaves no file.
#[derive(Debug)]
pub struct RequestLog {
    writer: JoinHandle<Outcome>,
}

/// What the writer gives back: the file as far as it got, and what is in it.
type Outcome = (Draft, io::Result<Written>);

/// The end of a log that one thread holds.
#[derive(Debug)]
pub struct Pen {
    thread: u32,
    frame: Option<Vec<u8>>,
    before: Before,
    written: Written,
    full: SyncSender<Message>,
    empty: Receiver<Vec<u8>>,
}

/// From a pen to the writer.
#[derive(Debug)]
enum Message {
    Frame { thread: u32, octets: Vec<u8> },
    Done(Written),
}

impl RequestLog {
    /// Begins a log at that place, with a pen for each of `threads` threads. `header` is any JSON
    /// object: the plan, the identity of the agent.
    ///
    /// # Errors
    /// If there is a file already, none can be made, or there is no thread to be had.
    pub fn create(
        path: &Path,
        header: &impl Serialize,
        threads: usize,
    ) -> Result<(Self, Vec<Pen>), Failure> {
        let mut draft = Draft::create(path)?;
        write_header(&mut draft, header).map_err(|error| draft.failure(&error))?;
        let (full, messages) = sync_channel(threads * (FRAMES + 1));
        let (pens, empties): (Vec<_>, Vec<_>) =
            (0..threads).map(|thread| pen(thread as u32, full.clone())).unzip();
        let write = move || write(draft, &messages, &empties);
        let builder = std::thread::Builder::new().name("request log".to_owned());
        let writer = builder.spawn(write).map_err(|error| lost(&error))?;
        Ok((Self { writer }, pens))
    }

    /// Waits for the pens to be dropped, and puts the file into its place. `elapsed` is the length
    /// of the measuring phase.
    ///
    /// # Errors
    /// If not everything could be written.
    pub fn finish(self, elapsed: Duration) -> Result<Written, Failure> {
        let ended = self.writer.join();
        let (mut draft, written) = ended.map_err(|_| lost(&"its thread has panicked"))?;
        let ended = written.and_then(|written| {
            write_end(&mut draft, elapsed, written.missing)?;
            Ok(written)
        });
        let written = ended.map_err(|error| draft.failure(&error))?;
        draft.settle().map(|()| written)
    }
}

fn lost(why: &impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the log of requests can't be written: {why}"))
}

/// A pen, and where its empty frames come from. They are all made here.
fn pen(thread: u32, full: SyncSender<Message>) -> (Pen, SyncSender<Vec<u8>>) {
    let (back, empty) = sync_channel(FRAMES);
    for _ in 0..FRAMES {
        back.try_send(Vec::with_capacity(FRAME)).expect("the channel has room for all of them");
    }
    let (before, written) = (Before::default(), Written::default());
    (Pen { thread, frame: None, before, written, full, empty }, back)
}

impl Pen {
    /// Keeps a record, if there is room for it. Never waits and never allocates.
    #[inline]
    pub fn note(&mut self, record: &Record) {
        if self.frame.is_none() {
            self.frame = self.empty.try_recv().ok();
            self.before = Before::default();
        }
        let Some(frame) = &mut self.frame else {
            self.written.missing += 1;
            return;
        };
        self.before.encode(record, frame);
        self.written.records += 1;
        if frame.len() > FRAME - LONGEST {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if let Some(octets) = self.frame.take() {
            // It fails only if the writer is gone, and then the log can't be finished anyway.
            let _ = self.full.try_send(Message::Frame { thread: self.thread, octets });
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.hand_over();
        let _ = self.full.try_send(Message::Done(self.written));
    }
}

/// The writer: until all pens are gone. After an error it goes on giving frames back, so that the
/// run is not disturbed.
fn write(
    mut draft: Draft,
    messages: &Receiver<Message>,
    empties: &[SyncSender<Vec<u8>>],
) -> Outcome {
    let (mut written, mut outcome) = (Written::default(), Ok(()));
    for message in messages {
        match message {
            Message::Frame { thread, mut octets } => {
                outcome = outcome.and_then(|()| write_frame(&mut draft, thread, &octets));
                octets.clear();
                // The pen may be gone already.
                let _ = empties[thread as usize].try_send(octets);
            }
            Message::Done(of_pen) => {
                written.records += of_pen.records;
                written.missing += of_pen.missing;
            }
        }
    }
    (draft, outcome.map(|()| written))
}

fn write_header(output: &mut impl Write, header: &impl Serialize) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    let head = [&MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes()].concat();
    output.write_all(&head)?;
    output.write_all(&header)?;
    output.write_all(&checksum(&head, &header).to_le_bytes())
}

fn write_frame(output: &mut impl Write, thread: u32, payload: &[u8]) -> io::Result<()> {
    output.write_all(&frame_head(thread, payload))?;
    output.write_all(payload)
}

fn write_end(output: &mut impl Write, elapsed: Duration, missing: u64) -> io::Result<()> {
    let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    write_frame(output, END, &[elapsed.to_le_bytes(), missing.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::request_log::record::Outcome;

    const RECORD: Record = Record { planned: 9, connection: 3, outcome: Outcome::NeverSent };

    /// More records than fit into the frames of a pen.
    const FLOOD: usize = 2 * FRAMES * FRAME / 3;

    #[test]
    fn what_a_slow_disk_leaves_no_room_for_is_counted() {
        let (full, messages) = sync_channel(FRAMES + 1);
        let (mut pen, _empties) = pen(0, full);
        (0..FLOOD).for_each(|_| pen.note(&RECORD));
        let Written { records, missing } = pen.written;
        assert_eq!(records + missing, FLOOD as u64);
        assert!(records > 0 && missing > 0);
        drop(pen);
        let kept = messages.iter().filter(|one| matches!(one, Message::Frame { .. })).count();
        assert_eq!(kept, FRAMES);
    }

    #[test]
    fn a_frame_never_outgrows_what_was_allocated() {
        let (full, messages) = sync_channel(FRAMES + 1);
        let (mut pen, _empties) = pen(0, full);
        for n in 0..FLOOD as i64 {
            let far = if n % 2 == 0 { i64::MIN } else { i64::MAX };
            let outcome = Outcome::Answered { sent: 0, ended: far };
            pen.note(&Record { planned: far, connection: 0, outcome });
        }
        drop(pen);
        for message in messages {
            let Message::Frame { octets, .. } = message else { continue };
            assert_eq!(octets.capacity(), FRAME);
        }
    }

    #[test]
    fn a_full_disk_is_an_error_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("requests.log");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
        let (sender, messages) = sync_channel(FRAMES + 1);
        let (mut pen, empties) = pen(0, sender);
        let draft = Draft::over(full, &place);
        let write = std::thread::spawn(move || write(draft, &messages, &[empties]));
        (0..FLOOD).for_each(|_| pen.note(&RECORD));
        drop(pen);
        let failure = RequestLog { writer: write }.finish(Duration::ZERO).expect_err("it is full");
        assert!(failure.to_string().contains("No space left"), "{failure}");
        assert!(!place.exists());
    }
}
