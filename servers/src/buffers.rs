//! Buffers that are lent to connections while octets are on their way, and come back empty.
//!
//! A connection that waits owns no buffer. A worker that serves 10,000 connections, one after the
//! other, reads all of them into the same few pages, which therefore stay in the cache.

use wire::Buffer;

/// How many empty buffers are kept; more than that are given back to the allocator.
const KEPT_MAX: usize = 64;

/// A worker's store of empty buffers.
#[derive(Debug)]
pub struct Buffers {
    empty: Vec<Buffer>,
    octets: usize,
}

impl Buffers {
    /// A store of buffers of `octets` octets each.
    #[must_use]
    pub fn new(octets: usize) -> Self {
        Self { empty: Vec::new(), octets }
    }

    /// Lends an empty buffer: the one that came back last, for it is the warmest.
    pub fn lend(&mut self) -> Buffer {
        self.empty.pop().unwrap_or_else(|| Buffer::new(self.octets))
    }

    /// Takes a buffer back.
    pub fn take_back(&mut self, mut buffer: Buffer) {
        if self.empty.len() < KEPT_MAX {
            buffer.clear();
            self.empty.push(buffer);
        }
    }
}
