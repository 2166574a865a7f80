//! One thread, and level-triggered epoll(7).
//!
//! - The kernel is handed changes of interest only, and brings back those that are ready now.
//! - A wait costs what the active descriptors cost.
//! - Nothing but the descriptor limit limits it.
//! - Watch what is *not* called: one read for each report is enough, for what is left is reported
//!   again; and while answers fit into the socket's buffer, interest never changes.

use std::io;

use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{AtOnce, Epoll, Family, Level, Listeners, Model, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "epoll-level",
    summary: "one thread and level-triggered epoll(7)",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<Epoll<Level>>::new(site, Source::Listener(&listeners[0]))?.run()
}
