//! The reading end of a ring buffer: records from programs, in the order in which they were made.
//!
//! The kernel maps two positions that only ever grow, each in a page of its own, and the data twice
//! in a row, so that a record that goes over the end can be read in one piece. A record has a head
//! of eight octets: its length and two bits, "still being written" and "thrown away".
//!
//! Source: Linux `Documentation/bpf/ringbuf.rst`.

use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Error, Map};
use crate::mapping::{Access, Mapping};

/// Bits of a record's length.
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// The head of a record, in octets, and what records are aligned to.
const HEAD: u64 = 8;

/// The reading end of a ring buffer. One for a map: two would read each other's records.
#[derive(Debug)]
pub struct Ring<'a> {
    map: &'a Map,
    /// Octets of a page.
    page: usize,
    /// How far we have read: the first word of a page that we may write.
    consumed: NonNull<AtomicU64>,
    /// How far programs have written: the first word of a page.
    produced: NonNull<AtomicU64>,
    /// That page, and after it the data, twice.
    data: Mapping,
    /// The page of `consumed`.
    _consumer: Mapping,
}

impl<'a> Ring<'a> {
    /// Opens the reading end of a map of [`super::Kind::Ring`].
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn open(map: &'a Map) -> Result<Self, Error> {
        Self::share(map).map_err(|cause| Error::Share(map.name(), cause))
    }

    fn share(map: &'a Map) -> io::Result<Self> {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let length = page + 2 * map.entries as usize;
        let consumer = Mapping::of(map.as_fd(), page, 0, Access::ReadWrite)?;
        let data = Mapping::of(map.as_fd(), length, page as i64, Access::Read)?;
        let first = |mapping: &Mapping| mapping.at(0, 1).ok_or(io::ErrorKind::UnexpectedEof);
        let (consumed, produced) = (first(&consumer)?, first(&data)?);
        Ok(Self { map, page, consumed, produced, data, _consumer: consumer })
    }

    /// Waits until there is something to read, a signal, or the end of the time.
    ///
    /// # Errors
    /// What poll(2) says, but not EINTR.
    pub fn wait(&self, at_most: Duration) -> io::Result<()> {
        let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.map.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Shows each record that is there to `see`, and says how many there were.
    pub fn drain(&mut self, mut see: impl FnMut(&[u8])) -> usize {
        let mut position = self.consumed().load(Ordering::Relaxed);
        let mut seen = 0;
        while let Some((length, record)) = self.record(position) {
            if let Some(record) = record {
                see(record);
                seen += 1;
            }
            position += (HEAD + u64::from(length)).next_multiple_of(HEAD);
            self.consumed().store(position, Ordering::Release);
        }
        seen
    }

    /// The record at a position, if it is whole: its length, and its octets unless it is thrown
    /// away.
    fn record(&self, position: u64) -> Option<(u32, Option<&[u8]>)> {
        if position >= self.produced().load(Ordering::Acquire) {
            return None;
        }
        let at = self.page + (position as usize & (self.map.entries as usize - 1));
        let head = self.data.at::<AtomicU32>(at, 1)?;
        // SAFETY: the position is below the producer's, so a head is there; the data is mapped
        // twice, so it lies in one piece.
        let head = unsafe { head.as_ref() }.load(Ordering::Acquire);
        let length = head & !(BUSY | DISCARDED);
        let octets = self.data.at::<u8>(at + HEAD as usize, length as usize)?;
        // SAFETY: the record follows its head, inside the mapping, and is used only where the head
        // says that its program has written it to the end.
        let octets = || unsafe { std::slice::from_raw_parts(octets.as_ptr(), length as usize) };
        match head {
            head if head & BUSY != 0 => None,
            head if head & DISCARDED != 0 => Some((length, None)),
            _ => Some((length, Some(octets()))),
        }
    }

    fn consumed(&self) -> &AtomicU64 {
        // SAFETY: it points into a mapping that lives as long as `self`.
        unsafe { self.consumed.as_ref() }
    }

    fn produced(&self) -> &AtomicU64 {
        // SAFETY: as above; it may only be read, and is only loaded.
        unsafe { self.produced.as_ref() }
    }
}
