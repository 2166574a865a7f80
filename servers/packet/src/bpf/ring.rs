//! The reading end of a ring buffer: records from programs, in the order in which they were made.
//!
//! The kernel maps two positions that only ever grow, each in a page of its own, and the data twice
//! in a row, so that a record that goes over the end can be read in one piece. A record has a head
//! of eight octets: its length and two bits, "still being written" and "thrown away".
//!
//! Source: Linux `Documentation/bpf/ringbuf.rst`.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, ptr};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Error, Map};

/// Bits of a record's length.
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// The head of a record, in octets, and what records are aligned to.
const HEAD: u64 = 8;

/// The reading end of a ring buffer. One for a map: two would read each other's records.
#[derive(Debug)]
pub struct Ring<'a> {
    map: &'a Map,
    page: usize,
    /// How far we have read: a page that we may write.
    consumer: *mut u8,
    /// How far programs have written, and after that page the data, twice.
    producer: *mut u8,
}

impl<'a> Ring<'a> {
    /// Opens the reading end of a map of [`super::Kind::Ring`].
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn open(map: &'a Map) -> Result<Self, Error> {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        let consumer = share(map, page, read_write, 0)?;
        let length = page + 2 * map.entries as usize;
        match share(map, length, libc::PROT_READ, page) {
            Ok(producer) => Ok(Self { map, page, consumer, producer }),
            Err(error) => {
                // SAFETY: the page that was mapped above, and nothing refers to it.
                unsafe { libc::munmap(consumer.cast(), page) };
                Err(error)
            }
        }
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
        // SAFETY: the position is below the producer's, so a head is there; it is aligned to 8
        // octets and the data is mapped twice, so it lies in one piece inside the mapping.
        let head = unsafe { &*self.producer.add(at).cast::<AtomicU32>() }.load(Ordering::Acquire);
        let length = head & !(BUSY | DISCARDED);
        // SAFETY: the record follows its head, inside the mapping for the same reason, and programs
        // don't write to it any more before we move on.
        let octets = || unsafe {
            std::slice::from_raw_parts(self.producer.add(at + HEAD as usize), length as usize)
        };
        match head {
            head if head & BUSY != 0 => None,
            head if head & DISCARDED != 0 => Some((length, None)),
            _ => Some((length, Some(octets()))),
        }
    }

    fn consumed(&self) -> &AtomicU64 {
        // SAFETY: the first word of a page that is mapped for as long as `self` lives.
        unsafe { &*self.consumer.cast::<AtomicU64>() }
    }

    fn produced(&self) -> &AtomicU64 {
        // SAFETY: the first word of a page that is mapped for as long as `self` lives; only loaded.
        unsafe { &*self.producer.cast::<AtomicU64>() }
    }
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        // SAFETY: the mappings that `open` made; no reference to them outlives `self`.
        unsafe {
            libc::munmap(self.consumer.cast(), self.page);
            libc::munmap(self.producer.cast(), self.page + 2 * self.map.entries as usize);
        }
    }
}

fn share(map: &Map, length: usize, access: i32, offset: usize) -> Result<*mut u8, Error> {
    let (descriptor, offset) = (map.as_fd().as_raw_fd(), offset as i64);
    // SAFETY: a new mapping, wherever the kernel likes.
    let start = unsafe {
        libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, descriptor, offset)
    };
    if start == libc::MAP_FAILED {
        return Err(Error::Share(map.name(), io::Error::last_os_error()));
    }
    Ok(start.cast())
}
