//! An acceptor, and workers that each have their own edge-triggered epoll(7).
//!
//! - The kernel is handed each descriptor once, for both directions, and reports each change once.
//! - A wait costs what the active descriptors cost, and interest never changes: no further calls.
//! - Nothing but the descriptor limit limits it.
//! - Watch the end of a read: whoever stops before the socket is empty is not told again. A short
//!   read is such an end (epoll(7), Q9); a full one is not.
//!
//! The acceptor deals connections out in turn, so that all workers have the same number of them,
//! give or take one.

use std::io;

use crate::drive::accept::clients;
use crate::drive::reactor::{Reactor, Source};
use crate::listener::{Blocking, Inbox, Listener};
use crate::models::{
    AtOnce, Edge, Epoll, Family, Listeners, Model, Site, TriggerName, Workers, beside,
};

pub(super) const MODEL: Model = Model {
    name: "epoll-edge",
    summary: "an acceptor, and workers that each have their own edge-triggered epoll(7)",
    family: Family::Readiness(TriggerName::Edge),
    at_once: AtOnce::Unlimited,
    workers: Workers::PerCpu,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let inboxes =
        (0..site.workers).map(|_| Inbox::new(site.control)).collect::<io::Result<Vec<_>>>()?;
    let workers = inboxes
        .iter()
        .map(|inbox| Reactor::<Epoll<Edge>>::new(site, Source::Inbox(inbox)))
        .collect::<io::Result<Vec<_>>>()?;
    beside(site, workers.into_iter(), Reactor::run, || {
        let dealt = deal(site, &listeners[0], &inboxes);
        inboxes.iter().for_each(Inbox::close);
        dealt
    })
}

fn deal(site: &Site<'_>, listener: &Listener, inboxes: &[Inbox]) -> io::Result<()> {
    // The acceptor waits for clients; the workers never wait for one of them.
    for (client, inbox) in clients(site, listener, Blocking::No)?.zip(inboxes.iter().cycle()) {
        inbox.put(client);
    }
    Ok(())
}
