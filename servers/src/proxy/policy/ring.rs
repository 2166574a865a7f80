//! Ring hash: backends and clients are points on a circle; a client goes to the next backend on it.
//!
//! Each backend has 160 points for a weight of 1, as in libketama. When one comes or goes, the
//! clients on its arcs move, and no others; a client whose backend is out goes on to the next one.
//! The shares differ by about 8 %.

use super::Entry;
use super::succession::Succession;

pub(super) const ENTRY: Entry = Entry {
    name: "ring",
    summary: "by the client's address, on a circle with 160 points a backend",
    make: |backends, _| Ok(Box::new(Succession::new("ketama", backends)?)),
};
