//! Memory by mmap(2), given back when it is dropped.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// Memory of this process alone, or shared with the kernel.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    octets: usize,
}

// SAFETY: it is memory, wherever it is used; who may use it when is up to whoever has the pointer.
unsafe impl Send for Mapping {}

impl Mapping {
    /// So many zeros, in whole pages.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn anonymous(octets: usize) -> io::Result<Self> {
        Self::map(octets, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    /// What a descriptor has at `offset`; nothing waits for the first touch of a page.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub fn of(descriptor: BorrowedFd<'_>, octets: usize, offset: i64) -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        Self::map(octets, flags, descriptor.as_raw_fd(), offset)
    }

    fn map(octets: usize, flags: i32, descriptor: i32, offset: i64) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
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
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Where `count` values of `T` begin, `offset` octets from its beginning. `None` if they would not
    /// fit, or would not be aligned.
    #[must_use]
    pub fn at<T>(&self, offset: usize, count: usize) -> Option<NonNull<T>> {
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
