//! The crate `nix`: the set is safe to use, by an assertion.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::select::FdSet;

use super::{Deed, Way};

pub(super) const WAY: Way =
    Way { name: "nix", summary: "Rust, FdSet of the crate nix", deed: Deed::Store(store) };

fn store(fd: OwnedFd) -> anyhow::Result<String> {
    FdSet::new().insert(fd.as_fd());
    Ok(format!("bit {} was stored", fd.as_raw_fd()))
}
