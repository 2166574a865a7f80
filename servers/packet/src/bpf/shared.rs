//! The values of an array, in the memory of this process: the program and we see the same words.
//!
//! lookup and update by bpf(2) copy a value, and a copy that is written back undoes what a program
//! did meanwhile. With the words themselves both sides can use atomic instructions on them.

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};
use std::{io, mem, ptr};

use super::{Error, Map};

/// The values of an array map, each one or several of a type that is made of atomics.
#[derive(Debug)]
pub struct Shared<T> {
    start: ptr::NonNull<T>,
    count: usize,
    length: usize,
    values: PhantomData<T>,
}

/// A type that can be shared with programs.
///
/// # Safety
/// It is `repr(C)` and made of atomic integers only, without padding.
pub unsafe trait Atomics: Sync {}

impl<T: Atomics> Shared<T> {
    /// The values of `map`, made by [`Map::shared_array`].
    ///
    /// # Errors
    /// What mmap(2) says.
    ///
    /// # Panics
    /// If a value of `map` is not one or several `T`, or not a multiple of 8 octets: the kernel
    /// pads the others.
    pub fn new(map: &Map) -> Result<Self, Error> {
        let (size, value) = (size_of::<T>(), map.value_size);
        let whole = value.is_multiple_of(8) && value.is_multiple_of(size);
        assert!(whole, "a value of {} is not some T", map.name());
        let length = map.entries as usize * value;
        // SAFETY: a new mapping, wherever the kernel likes.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_fd().as_raw_fd(),
                0,
            )
        };
        let failed = || Error::Share(map.name(), io::Error::last_os_error());
        let start = ptr::NonNull::new(start.cast::<T>())
            .filter(|start| start.as_ptr().cast() != libc::MAP_FAILED)
            .ok_or_else(failed)?;
        debug_assert!(start.as_ptr().addr().is_multiple_of(mem::align_of::<T>()));
        Ok(Self { start, count: length / size, length, values: PhantomData })
    }

    /// The values, which others change at any time.
    pub fn values(&self) -> &[T] {
        // SAFETY: the mapping is as long, zeroed at first, aligned to a page, and lives as long as
        // `self`; `T` is made of atomics, so that others may write.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and no reference outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: the memory belongs to the process, not to a thread, and is made of atomics.
unsafe impl<T: Atomics> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Atomics> Sync for Shared<T> {}
