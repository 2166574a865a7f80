//! C with `_FORTIFY_SOURCE`: the same FD_SET asks `__fdelt_chk` first, and that ends the program.
//!
//! It is a function of glibc, and other C libraries for Linux have no such check.

use std::os::fd::OwnedFd;

use super::{Deed, Way};

pub(super) const WAY: Way =
    Way { name: "fortified", summary: "C, FD_SET with _FORTIFY_SOURCE", deed: Deed::Store(store) };

#[cfg(target_env = "gnu")]
fn store(fd: OwnedFd) -> anyhow::Result<String> {
    use std::ffi::c_long;
    use std::os::fd::AsRawFd;

    // SAFETY: this is how glibc's <bits/select2.h> declares it. It takes any number.
    unsafe extern "C" {
        safe fn __fdelt_chk(number: c_long) -> c_long;
    }
    let number = fd.as_raw_fd();
    let word = __fdelt_chk(number.into());
    Ok(format!("bit {number} is allowed to be in word {word}"))
}

#[cfg(not(target_env = "gnu"))]
fn store(_: OwnedFd) -> anyhow::Result<String> {
    anyhow::bail!("this C library has no such check; it is glibc's")
}
