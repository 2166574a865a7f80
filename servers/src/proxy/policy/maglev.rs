//! Maglev: a table of 65,537 slots, dealt out so that all shares are equal to within a slot or two.
//!
//! A choice is one look into the table. When a backend comes or goes, a few clients move that need
//! not: the price of the even shares (Eisenbud et al., "Maglev: a fast and reliable software
//! network load balancer", NSDI 2016).

use super::Entry;
use super::succession::Succession;

pub(super) const ENTRY: Entry = Entry {
    name: "maglev",
    summary: "by the client's address, in a table of 65537 slots",
    make: |backends, _| Ok(Box::new(Succession::new("maglev", backends)?)),
};
