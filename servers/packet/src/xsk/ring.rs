//! A ring: a table whose places go round, and two counters that go on for ever.
//!
//! One side produces, the other consumes, and each writes one counter only. What lies between the
//! two is the consumer's; all else is the producer's. A counter is written with release and read
//! with acquire, so that whoever sees it sees the table as it was written before. Each look at the
//! other side's counter may fetch it from another CPU: so it is looked at only when what was seen
//! last is used up.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::mapping::{Access, Mapping};

/// The memory of a ring, whichever side we are.
#[derive(Debug)]
struct Shared<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    table: NonNull<T>,
    /// One less than the number of places, a power of two.
    mask: u32,
    /// What all of these point into.
    _mapping: Mapping,
}

// SAFETY: the pointers are into the mapping, which goes where they go.
unsafe impl<T: Send> Send for Shared<T> {}

/// A ring that we write and the kernel reads: fill and tx.
#[derive(Debug)]
pub struct Producer<T> {
    shared: Shared<T>,
    /// How far we have written; the other side sees it after [`Producer::publish`].
    written: u32,
    /// How far the other side had read when we looked last.
    read: u32,
}

/// A ring that the kernel writes and we read: rx and completion.
#[derive(Debug)]
pub struct Consumer<T> {
    shared: Shared<T>,
    /// How far we have read; the other side sees it after [`Consumer::release`].
    read: u32,
    /// How far the other side had written when we looked last.
    written: u32,
}

/// Where a ring is, and how large.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// For mmap(2): which of the four it is.
    pub page: i64,
    /// What XDP_MMAP_OFFSETS says.
    pub offsets: libc::xdp_ring_offset,
    /// How many places it has, a power of two.
    pub size: u32,
}

impl<T> Shared<T> {
    fn of(socket: BorrowedFd<'_>, place: Place) -> io::Result<Self> {
        let octets = place.offsets.desc as usize + place.size as usize * size_of::<T>();
        Self::new(Mapping::of(socket, octets, place.page, Access::ReadWrite)?, place)
    }

    fn new(mapping: Mapping, place: Place) -> io::Result<Self> {
        let outside = || io::Error::other("the kernel says that a part of a ring is outside of it");
        let counter = |offset: u64| mapping.at(offset as usize, 1).ok_or_else(outside);
        let Place { offsets, size, .. } = place;
        Ok(Self {
            producer: counter(offsets.producer)?,
            consumer: counter(offsets.consumer)?,
            flags: counter(offsets.flags)?,
            table: mapping.at(offsets.desc as usize, size as usize).ok_or_else(outside)?,
            mask: size - 1,
            _mapping: mapping,
        })
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: it points into the mapping, which lives as long as this.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { self.consumer.as_ref() }
    }

    fn asks_for_a_call(&self) -> bool {
        // SAFETY: as above.
        let flags = unsafe { self.flags.as_ref() };
        flags.load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    fn place(&self, counter: u32) -> NonNull<T> {
        // SAFETY: with the mask it is below the number of places.
        unsafe { self.table.add((counter & self.mask) as usize) }
    }
}

impl<T: Copy> Producer<T> {
    /// The ring at `place` of a socket.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn of(socket: BorrowedFd<'_>, place: Place) -> io::Result<Self> {
        let shared = Shared::of(socket, place)?;
        let written = shared.producer().load(Ordering::Relaxed);
        let read = shared.consumer().load(Ordering::Acquire);
        Ok(Self { shared, written, read })
    }

    /// Whether there is room for a value.
    fn has_room(&mut self) -> bool {
        let places = self.shared.mask + 1;
        self.written.wrapping_sub(self.read) < places || self.left() < places
    }

    /// How many of the values that have been written the kernel has not read yet.
    pub fn left(&mut self) -> u32 {
        self.read = self.shared.consumer().load(Ordering::Acquire);
        self.written.wrapping_sub(self.read)
    }

    /// Writes a value, if there is room. The kernel does not see it yet.
    pub fn push(&mut self, value: T) -> Option<()> {
        if !self.has_room() {
            return None;
        }
        // SAFETY: this place is ours: the kernel has read it, and does not know of a new value.
        unsafe { self.shared.place(self.written).write(value) };
        self.written = self.written.wrapping_add(1);
        Some(())
    }

    /// Lets the kernel see what has been written.
    pub fn publish(&self) {
        self.shared.producer().store(self.written, Ordering::Release);
    }

    /// Whether the kernel reads it only after a system call.
    #[must_use]
    pub fn asks_for_a_call(&self) -> bool {
        self.shared.asks_for_a_call()
    }
}

impl<T: Copy> Consumer<T> {
    /// The ring at `place` of a socket.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn of(socket: BorrowedFd<'_>, place: Place) -> io::Result<Self> {
        let shared = Shared::of(socket, place)?;
        let read = shared.consumer().load(Ordering::Relaxed);
        Ok(Self { shared, read, written: read })
    }

    /// Whether there is a value to be read.
    fn has_value(&mut self) -> bool {
        if self.read == self.written {
            self.written = self.shared.producer().load(Ordering::Acquire);
        }
        self.read != self.written
    }

    /// Reads a value, if there is one. The kernel does not get the place back yet.
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_value() {
            return None;
        }
        // SAFETY: this place is ours: the kernel has written it, and does not write it again before
        // it gets it back.
        let value = unsafe { self.shared.place(self.read).read() };
        self.read = self.read.wrapping_add(1);
        Some(value)
    }

    /// Gives the places of what has been read back to the kernel.
    pub fn release(&self) {
        self.shared.consumer().store(self.read, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::thread;

    use super::*;

    const PLACE: Place = Place {
        page: 0,
        offsets: libc::xdp_ring_offset { producer: 0, consumer: 64, flags: 128, desc: 192 },
        size: 8,
    };

    /// Both sides of one ring, over a file in memory. The counters begin near the end of their
    /// range.
    fn both() -> (Producer<u64>, Consumer<u64>) {
        let file: File = tempfile::tempfile().unwrap();
        file.set_len(4_096).unwrap();
        let begin = u32::MAX - 2;
        let shared = Shared::<u64>::of(file.as_fd(), PLACE).unwrap();
        shared.producer().store(begin, Ordering::Relaxed);
        shared.consumer().store(begin, Ordering::Relaxed);
        (Producer::of(file.as_fd(), PLACE).unwrap(), Consumer::of(file.as_fd(), PLACE).unwrap())
    }

    #[test]
    fn what_is_written_is_read_in_order_once_it_is_published() {
        let (mut producer, mut consumer) = both();
        assert_eq!(consumer.pop(), None);
        producer.push(1).unwrap();
        producer.push(2).unwrap();
        assert_eq!(consumer.pop(), None);
        producer.publish();
        assert_eq!([consumer.pop(), consumer.pop(), consumer.pop()], [Some(1), Some(2), None]);
    }

    #[test]
    fn a_full_ring_takes_no_more_until_places_are_given_back() {
        let (mut producer, mut consumer) = both();
        (0..8).for_each(|value| producer.push(value).unwrap());
        assert_eq!(producer.push(8), None);
        producer.publish();
        assert_eq!(consumer.pop(), Some(0));
        assert_eq!(producer.push(8), None, "it is read, and not given back");
        consumer.release();
        assert_eq!([producer.push(8), producer.push(9)], [Some(()), None]);
    }

    #[test]
    fn a_counter_that_makes_no_sense_points_nowhere_outside() {
        let (mut producer, mut consumer) = both();
        producer.shared.producer().store(77, Ordering::Release);
        producer.shared.consumer().store(99, Ordering::Release);
        // What comes out makes no sense either; that it comes out of the ring is what counts.
        assert!((0..100).filter_map(|_| consumer.pop()).all(|value| value < 9));
        assert!((0..9).filter(|value| producer.push(*value).is_some()).count() <= 8);
    }

    #[test]
    fn between_two_threads_nothing_is_lost_or_changed() {
        const VALUES: u64 = 100_000;
        let (mut producer, mut consumer) = both();
        let writes = thread::spawn(move || {
            for value in 0..VALUES {
                while producer.push(value).is_none() {
                    producer.publish();
                    thread::yield_now();
                }
            }
            producer.publish();
        });
        for expected in 0..VALUES {
            let value = loop {
                match consumer.pop() {
                    Some(value) => break value,
                    None => consumer.release(),
                }
                thread::yield_now();
            };
            assert_eq!(value, expected);
        }
        writes.join().unwrap();
    }
}
