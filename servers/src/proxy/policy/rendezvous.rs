//! Rendezvous: each backend draws a number for the client, and the highest one wins.
//!
//! It needs no table and moves no client that need not move, and each client has an order of
//! succession of its own, so that the clients of a backend that is out are spread over all the
//! others. A choice costs a hash for each backend (Thaler and Ravishankar, "Using name-based
//! mappings to increase hit rates", 1998).

use super::Entry;
use super::succession::Succession;

pub(super) const ENTRY: Entry = Entry {
    name: "rendezvous",
    summary: "by the client's address: the highest of one hash for each backend",
    make: |backends, _| Ok(Box::new(Succession::new("rendezvous", backends)?)),
};
