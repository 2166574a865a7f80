//! The crate `libc`: its FD_SET is unsafe to call, and yet looks whether the set has such a word.
//!
//! It panics; but it is declared as a function of C, which no panic may leave, so the process is
//! ended.

use std::os::fd::{AsRawFd, OwnedFd};

use super::{Deed, Way};

pub(super) const WAY: Way =
    Way { name: "libc", summary: "Rust, FD_SET of the crate libc", deed: Deed::Store(store) };

fn store(fd: OwnedFd) -> anyhow::Result<String> {
    // SAFETY: it is an array of integers, and may be all 0.
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid. The number is not, and the crate finds that out: all its versions
    // of this series look for the word in a Rust array.
    unsafe { libc::FD_SET(fd.as_raw_fd(), &raw mut set) };
    Ok(format!("bit {} was stored", fd.as_raw_fd()))
}
