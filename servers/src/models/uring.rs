//! Several threads, each with its own listener and its own io_uring(7).
//!
//! - The kernel is handed the calls themselves: accept, receive, send. It makes them when they can
//!   be made, and brings back what came of them.
//! - A wait costs what is done; one system call hands over all that is asked, and waits.
//! - Nothing but the descriptor limit limits it, and it uses all processors. Its twin is
//!   `reactors`: the kernel deals clients out to the listeners in the same way, by chance.
//! - Watch what the calls that are saved are worth. With 64 clients, one request each at a time,
//!   it makes less than a tenth of the system calls that an epoll of one thread makes, and takes
//!   about the same CPU time. What costs is TCP, which both go through; and what an entry into the
//!   kernel would have cost is spent on the ring's own work: a receive that waits is put into the
//!   socket's queue of waiters and taken out again each time, where epoll does that once.
//!
//! Three ways to receive were tried against each other. To look for octets before they can be there
//! cost the most; hence IORING_RECVSEND_POLL_FIRST. One request that receives again and again
//! (multishot) saved little, and takes octets from a peer whose answers wait: that would be no
//! back-pressure. So each receive is asked for when the session wants one.

use std::io;

use crate::drive::completion::{Proactor, Size, Uring};
use crate::listener::Listener;
use crate::models::{AtOnce, Family, Listeners, Model, Site, Workers, side_by_side};

pub(super) const MODEL: Model = Model {
    name: "uring",
    summary: "threads that each have their own SO_REUSEPORT listener and io_uring(7)",
    family: Family::Completion,
    at_once: AtOnce::Unlimited,
    workers: Workers::PerCpu,
    listeners: Listeners::PerWorker,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let size = Size::of_a_worker(site.control.buffer_octets);
    let workers = listeners
        .iter()
        .map(|own| Proactor::new(site, own, Uring::new(size)?))
        .collect::<io::Result<Vec<_>>>()?;
    side_by_side(site, workers, Proactor::run)
}
