//! The memory ledger: who holds how much for a connection.
//!
//! The total comes from what the host has less of free memory; the items come from the counters of
//! those who hold it: the mappings of both processes, the kernel's slabs, stacks of threads, page
//! tables. What no item accounts for is a row of its own, so that nobody has to believe that the
//! list is complete.
//!
//! ```text
//! meminfo, slabs, smaps, pages ──▶ moment ──▶ account: after - before ──▶ record, words, plot
//!            what the kernel says             total = Σ items + unexplained
//! ```
//!
//! Three moments make a ledger: before the server, with an idle server, and with idle clients that
//! have each been answered once. The figures are those of the whole host, so a quiet one is needed;
//! what other programs took in between (page cache, their own memory) is taken off by name.

pub mod account;
pub mod anatomy;
pub mod finding;
pub mod group;
pub mod holder;
pub mod meminfo;
pub mod moment;
pub mod pages;
pub mod record;
mod settle;
mod shares;
pub mod slabs;
pub mod smaps;
pub mod switches;
pub mod trial;
pub mod words;
