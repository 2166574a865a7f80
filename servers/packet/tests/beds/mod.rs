//! Beds for tests. A host that has none to offer, or no XDP where that is needed, skips the test
//! aloud.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

use packet::bed::{Bed, Fault};
use packet::bpf;

/// Two hosts and a cable, where there is XDP, too.
pub(crate) fn pair_with_xdp() -> Option<Bed> {
    if let Some(missing) = bpf::missing() {
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    made(Bed::pair(1))
}

/// A bed, unless this host has none to offer.
pub(crate) fn made(bed: Result<Bed, Fault>) -> Option<Bed> {
    match bed {
        Ok(bed) => Some(bed),
        Err(Fault::Missing(missing)) => {
            eprintln!("SKIPPED: {missing}");
            None
        }
        Err(fault) => panic!("{fault}"),
    }
}
