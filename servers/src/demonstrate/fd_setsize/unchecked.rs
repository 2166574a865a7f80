//! C without a check: the bit goes where the number points, into memory that belongs to something
//! else.
//!
//! The store is done on a set and a neighbour that are one piece of memory, made for it: what is
//! corrupted in a real program is whatever the compiler has laid behind the set.

use std::ffi::c_ulong;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{bail, ensure};

use super::{Deed, Way};

pub(super) const WAY: Way =
    Way { name: "unchecked", summary: "C, FD_SET without a check", deed: Deed::Store(store) };

const BITS: usize = c_ulong::BITS as usize;
const OCTETS: usize = size_of::<libc::fd_set>();

/// A set, and what lies behind it.
#[repr(C)]
struct Memory {
    set: libc::fd_set,
    /// All 0, so that whatever bit is set shows.
    neighbour: [u8; OCTETS],
}

fn store(fd: OwnedFd) -> anyhow::Result<String> {
    let number = fd.as_raw_fd() as usize;
    ensure!(number < 8 * size_of::<Memory>(), "descriptor {number} is beyond the neighbour, too");
    // SAFETY: both are arrays of integers, and may be all 0.
    let mut memory: Memory = unsafe { std::mem::zeroed() };
    // SAFETY: the bit is within `memory`, which is aligned as its set is, and the pointer is to all
    // of `memory`.
    unsafe { fd_set(number, (&raw mut memory).cast()) };
    let mut octets = memory.neighbour.iter().zip(OCTETS..);
    let Some((octet, place)) = octets.find(|&(&octet, _)| octet != 0) else {
        bail!("bit {number} did not reach the neighbour");
    };
    let last = OCTETS - 1;
    Ok(format!(
        "a set is octets 0 to {last}; bit {number} went into octet {place}, its neighbour's: 0x00 \
         became {octet:#04x}"
    ))
}

/// FD_SET as `<sys/select.h>` defines it where nobody asks for a check:
/// `set->fds_bits[number / BITS] |= 1 << number % BITS`.
///
/// # Safety
/// There is memory to write to at that bit.
unsafe fn fd_set(number: usize, set: *mut c_ulong) {
    // SAFETY: that is up to the caller.
    unsafe { *set.add(number / BITS) |= 1 << (number % BITS) }
}
