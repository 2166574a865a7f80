//! One thread, and one-shot epoll(7).
//!
//! - The kernel is handed each descriptor again after each report, and until then keeps silent of
//!   it.
//! - A wait costs what the active descriptors cost, and one more call for each of them.
//! - Nothing but the descriptor limit limits it.
//! - Watch that call. It buys something only where several threads wait on one set: then no two of
//!   them are told of the same descriptor. With one thread it is pure cost, shown here as such.

use std::io;

use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{AtOnce, Epoll, Family, Listeners, Model, Oneshot, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "epoll-oneshot",
    summary: "one thread and one-shot epoll(7): each descriptor is asked for again",
    family: Family::Readiness(TriggerName::Oneshot),
    at_once: AtOnce::Unlimited,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<Epoll<Oneshot>>::new(site, Source::Listener(&listeners[0]))?.run()
}
