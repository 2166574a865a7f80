//! Memory by mmap(2), given back when it is dropped.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// Memory of this process alone, or shared with the kernel.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    octets: usize,
}

/// What may be done with memory that is shared with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The kernel alone writes it.
    Read,
    /// Both do.
    ReadWrite,
}

impl Access {
    fn protection(self) -> i32 {
        match self {
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

// SAFETY: it is memory, wherever it is used; who may use it when is up to whoever has the pointer.
unsafe impl Send for Mapping {}

impl Mapping {
    /// So many zeros, in whole pages.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub(crate) fn anonymous(octets: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        Self::map(octets, Access::ReadWrite, flags, (-1, 0))
    }

    /// What a descriptor has at `offset`; nothing waits for the first touch of a page.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub(crate) fn of(
        descriptor: BorrowedFd<'_>,
        octets: usize,
        offset: i64,
        access: Access,
    ) -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        Self::map(octets, access, flags, (descriptor.as_raw_fd(), offset))
    }

    fn map(
        octets: usize,
        access: Access,
        flags: i32,
        (descriptor, offset): (i32, i64),
    ) -> io::Result<Self> {
        let protection = access.protection();
        // SAFETY: the kernel chooses a place where nothing is, so nothing is overwritten.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), octets, protection, flags, descriptor, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, octets })
    }

    /// How long it is, in octets.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Where `count` values of `T` begin, `offset` octets from its beginning. `None` if they would
    /// not fit, or would not be aligned.
    pub(crate) fn at<T>(&self, offset: usize, count: usize) -> Option<NonNull<T>> {
        let end = count.checked_mul(size_of::<T>())?.checked_add(offset)?;
        if end > self.octets || !offset.is_multiple_of(align_of::<T>()) {
            return None;
        }
        // SAFETY: `offset` is within the mapping, as has just been seen.
        Some(unsafe { self.start.add(offset) }.cast())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is what mmap has given; who has a pointer into it has this mapping, too.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.octets) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_points_outside() {
        let mapping = Mapping::anonymous(4_096).unwrap();
        assert!(mapping.at::<u64>(0, 512).is_some() && mapping.at::<u8>(4_095, 1).is_some());
        assert!(mapping.at::<u64>(0, 513).is_none() && mapping.at::<u8>(4_096, 1).is_none());
        assert!(mapping.at::<u64>(4, 1).is_none(), "not aligned");
        assert!(
            mapping.at::<u64>(8, usize::MAX).is_none() && mapping.at::<u8>(usize::MAX, 9).is_none()
        );
    }
}
