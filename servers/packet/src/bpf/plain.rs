//! Values that are nothing but their octets, as maps hold them.

use std::mem::{MaybeUninit, size_of};

/// A value that is nothing but its octets.
///
/// # Safety
/// Any octets are a value of this type, and it has no padding: the kernel reads and writes them
/// all.
pub unsafe trait Plain: Copy {}

// SAFETY: an integer is its octets.
unsafe impl Plain for u8 {}
// SAFETY: an integer is its octets.
unsafe impl Plain for u16 {}
// SAFETY: an integer is its octets.
unsafe impl Plain for u32 {}
// SAFETY: an integer is its octets.
unsafe impl Plain for u64 {}
// SAFETY: an array has no padding between its elements.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The value in some octets, or none if there are not enough.
pub(super) fn read<T: Plain>(octets: &[u8]) -> Option<T> {
    let octets = octets.get(..size_of::<T>())?;
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: both are `size_of::<T>()` octets long and apart, and any octets are a `T`.
    unsafe {
        value.as_mut_ptr().cast::<u8>().copy_from(octets.as_ptr(), octets.len());
        Some(value.assume_init())
    }
}
