//! Several threads, each with its own listener and its own level-triggered epoll(7).
//!
//! - The kernel is handed changes of interest only, by each thread for its own connections.
//! - A wait costs what the thread's active descriptors cost; threads share nothing.
//! - Nothing but the descriptor limit limits it, and it uses all processors.
//! - Watch the listeners: SO_REUSEPORT lets them share the port, and the kernel chooses one for
//!   each client by a hash of the addresses. Chance deals unevenly, and a client stays where it was
//!   dealt.

use std::io;

use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{
    AtOnce, Epoll, Family, Level, Listeners, Model, Site, TriggerName, Workers, side_by_side,
};

pub(super) const MODEL: Model = Model {
    name: "reactors",
    summary: "threads that each have their own SO_REUSEPORT listener and level-triggered epoll(7)",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::PerCpu,
    listeners: Listeners::PerWorker,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let reactors = listeners
        .iter()
        .map(|own| Reactor::<Epoll<Level>>::new(site, Source::Listener(own)))
        .collect::<io::Result<Vec<_>>>()?;
    side_by_side(site, reactors, Reactor::run)
}
