//! Buffers that the kernel takes from a ring when octets come, and not before.
//!
//! A receive that waits for its peer would otherwise need a buffer of its own to wait with: 16 KiB
//! for each idle connection. With a ring of provided buffers (io_uring_register_buf_ring(3), Linux
//! 5.19) it waits empty-handed. The kernel picks the next buffer when there is something to put
//! into it, and says which in the answer; we take the octets out and put the buffer back at the
//! end.
//!
//! A ring is a queue: each buffer in it is used in its turn, and so all of them take memory and
//! room in the cache, however few are needed at once. So there are few to begin with. When a
//! receive has found none (ENOBUFS), twice as many are put in, up to a limit.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use nix::errno::Errno;

use super::ring::Lent;

/// The only group of buffers that a ring has.
pub(super) const GROUP: u16 = 0;
/// How many buffers there are to begin with.
const FIRST: u16 = 4;
/// A ring of buffers begins at a page (io_uring_register_buf_ring(3)).
const PAGE: usize = 4096;

/// Memory that the kernel writes to.
#[derive(Debug)]
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    fn new(octets: usize, align: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(octets.max(1), align).map_err(io::Error::other)?;
        // SAFETY: the size is not 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(Errno::ENOMEM)?;
        Ok(Self { start, layout })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and the kernel's ring is gone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A ring of buffers of one size.
#[derive(Debug)]
pub(super) struct Provided {
    entries: Memory,
    buffers: Memory,
    /// The most that there may be: a power of 2.
    most: u16,
    /// How many there are.
    count: u16,
    octets: u32,
    /// Where the next buffer is put back. Numbers wrap around, and places are taken modulo `most`.
    tail: u16,
}

// SAFETY: it owns its memory, like a box; the kernel writes there only for the ring of the same
// owner.
unsafe impl Send for Provided {}

impl Provided {
    /// Gives buffers of `octets` octets each to the ring: a few now, `most` in the end, a power of
    /// 2.
    ///
    /// # Errors
    /// When the kernel refuses: EINVAL before Linux 5.19.
    pub(super) fn register(to: &Submitter<'_>, most: u16, octets: usize) -> io::Result<Self> {
        let size = u32::try_from(octets).map_err(io::Error::other)?;
        let entries = Memory::new(usize::from(most) * size_of::<BufRingEntry>(), PAGE)?;
        // Not aligned to pages, so that the allocator takes fresh pages for it and writes none of
        // them.
        let buffers = Memory::new(usize::from(most) * octets, align_of::<u128>())?;
        let address = entries.start.as_ptr() as u64;
        // SAFETY: the entries are a whole number of them, begin at a page, and outlive the ring.
        unsafe { to.register_buf_ring_with_flags(address, most, GROUP, 0)? };
        let mut provided = Self { entries, buffers, most, count: 0, octets: size, tail: 0 };
        provided.grow_to(FIRST);
        Ok(provided)
    }

    /// A receive has found no buffer: puts in as many again.
    pub(super) fn grow(&mut self) {
        self.grow_to(self.count.saturating_mul(2));
    }

    fn grow_to(&mut self, count: u16) {
        let count = count.min(self.most);
        (self.count..count).for_each(|number| self.put(Lent(number)));
        self.count = count;
    }

    /// What was received in a buffer.
    pub(super) fn octets(&self, lent: &Lent, count: u32) -> &[u8] {
        let count = count.min(self.octets) as usize;
        // SAFETY: the buffer is within the memory, and the kernel does not write there until it is
        // put back, for which it must be given up.
        unsafe { std::slice::from_raw_parts(self.place(lent), count) }
    }

    /// Puts a buffer back at the end of the ring.
    pub(super) fn put(&mut self, lent: Lent) {
        let address = self.place(&lent) as u64;
        let base = self.entries.start.cast::<BufRingEntry>();
        let place = usize::from(self.tail & (self.most - 1));
        // SAFETY: the place is within the entries; from the tail on they are ours to write.
        let entry = unsafe { base.add(place).as_mut() };
        entry.set_addr(address);
        entry.set_len(self.octets);
        entry.set_bid(lent.0);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in the first entry, is aligned, and is written here alone.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(base.as_ptr()).cast_mut()) };
        // The kernel must see the entry before the tail that makes it valid.
        tail.store(self.tail, Ordering::Release);
    }

    fn place(&self, lent: &Lent) -> *const u8 {
        debug_assert!(lent.0 < self.most, "no such buffer");
        // SAFETY: buffers are numbered below the count, by us and by the kernel after us.
        unsafe { self.buffers.start.as_ptr().add(usize::from(lent.0) * self.octets as usize) }
    }
}
