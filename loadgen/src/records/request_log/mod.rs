//! The log of every request: some ten octets each, from which all figures can be computed again.
//!
//! ```text
//! file    = "LGREQLOG" version:u32 length:u32 header:JSON crc32:u32     integers are little-endian
//!           frame… end
//! frame   = length:u32 thread:u32 crc32:u32 record…                     the records of one thread
//! record  = outcome:u8 planned connection [lag] [duration]              LEB128 (DWARF 5, 7.6)
//! end     = 16 0xFFFF_FFFF crc32:u32 elapsed:u64 missing:u64
//! ```
//!
//! `planned` and `connection` are differences to the record before; `lag` is sent − planned and
//! `duration` is ended − sent, in nanoseconds. All are signed and zigzag-coded. A frame begins its
//! differences at 0, so it can be read alone; its checksum covers length, thread and records.

mod code;
mod pen;
mod read;
mod record;

pub use pen::{Pen, RequestLog, Written};
pub use read::{Frame, RequestFile};
pub use record::{Outcome, Record};

/// The first octets of a file.
const MAGIC: &[u8; 8] = b"LGREQLOG";

/// The version of the layout.
const VERSION: u32 = 1;

/// The octets of records in a frame, at most.
const FRAME: usize = 64 * 1024;

/// The thread of the frame that ends a log.
const END: u32 = u32::MAX;

/// The octets of that frame.
const END_OCTETS: u64 = 12 + 16;

/// The octets of the header, at most: what claims to be longer is garbled.
const HEADER: usize = 16 << 20;

/// The head of a frame.
fn frame_head(thread: u32, payload: &[u8]) -> [u8; 12] {
    let length = u32::try_from(payload.len()).expect("a frame is at most 64 KiB");
    let mut head = [0; 12];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&thread.to_le_bytes());
    let sum = checksum(&head[..8], payload);
    head[8..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// The CRC-32 of two pieces.
fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}
