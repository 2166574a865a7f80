//! The values of an array, in the memory of this process: the program and we see the same words.
//!
//! lookup and update by bpf(2) copy a value, and a copy that is written back undoes what a program
//! did meanwhile. With the words themselves both sides can use atomic instructions on them.

use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use super::{Error, Map};
use crate::mapping::{Access, Mapping};

/// The values of an array map, each one or several of a type that is made of atomics.
#[derive(Debug)]
pub struct Shared<T> {
    start: NonNull<T>,
    count: usize,
    /// What they are in.
    _mapping: Mapping,
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
        let (octets, failed) =
            (map.entries as usize * value, |cause| Error::Share(map.name(), cause));
        let mapping = Mapping::of(map.as_fd(), octets, 0, Access::ReadWrite).map_err(failed)?;
        let count = octets / size;
        let start =
            mapping.at(0, count).ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
        Ok(Self { start, count, _mapping: mapping })
    }

    /// The values, which others change at any time.
    pub fn values(&self) -> &[T] {
        // SAFETY: the mapping is as long, zeroed at first, aligned to a page, and lives as long as
        // `self`; `T` is made of atomics, so that others may write.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

// SAFETY: the memory belongs to the process, not to a thread, and is made of atomics.
unsafe impl<T: Atomics> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Atomics> Sync for Shared<T> {}
