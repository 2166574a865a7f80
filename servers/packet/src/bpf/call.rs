//! The one system call: bpf(2) takes a command and a structure that depends on it.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{FromRawFd, OwnedFd};

/// What bpf(2) shall do: `enum bpf_cmd` in Linux `include/uapi/linux/bpf.h`.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgramLoad = 5,
    ProgramAttach = 8,
    ProgramTestRun = 10,
    MapLookupAndDelete = 21,
    LinkCreate = 28,
}

/// Calls bpf(2).
///
/// # Safety
/// `attributes` is the structure of `command`, made of integers only, and each address in it is
/// that of memory as large as the structure says, to be read or written during this call.
pub(super) unsafe fn bpf<T>(command: Command, attributes: &mut T) -> io::Result<i32> {
    let size = size_of::<T>();
    // SAFETY: `attributes` is `size` octets long; the caller answers for what is in them.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command as i32, attributes, size) };
    match i32::try_from(result) {
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Calls bpf(2) with a command that makes something, and takes its descriptor.
///
/// # Safety
/// As for [`bpf`], and `command` gives a new descriptor.
pub(super) unsafe fn make<T>(command: Command, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: as the caller says.
    let descriptor = unsafe { bpf(command, attributes)? };
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The address of something, as the kernel's structures have it.
pub(super) fn address<T: ?Sized>(of: *const T) -> u64 {
    of.cast::<u8>() as u64
}

/// A name as the kernel keeps it: 15 octets of letters, digits, `_` and `.`, and a 0.
pub(super) fn object_name(name: &str) -> [u8; 16] {
    let mut octets = [0; 16];
    let allowed = name.bytes().map(|it| if it.is_ascii_alphanumeric() { it } else { b'_' });
    octets[..15].iter_mut().zip(allowed).for_each(|(to, from)| *to = from);
    octets
}

/// The license that helpers for tracing and time ask for: the kernel's words for "MIT or GPL".
pub(super) fn license() -> CString {
    c"Dual MIT/GPL".to_owned()
}
