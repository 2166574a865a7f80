//! Several threads, each with its own listener and its own level-triggered epoll(7).
//!
//! - The kernel is handed changes of interest only, by each thread for its own connections.
//! - A wait costs what the thread's active descriptors cost; threads share nothing.
//! - Nothing but the descriptor limit limits it, and it uses all processors.
//! - Watch the listeners: SO_REUSEPORT lets them share the port, and the kernel chooses one for each
//!   client by a hash of the addresses. Chance deals unevenly, and a client stays where it was dealt.

use std::io;
use std::thread::{self, Builder, ScopedJoinHandle};

use crate::control::Phase;
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{
    AtOnce, Epoll, Family, Level, Listeners, Model, Site, TriggerName, Workers, join,
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
    let mut reactors = reactors.into_iter();
    let first = reactors.next();
    thread::scope(|scope| {
        let mut others = Vec::new();
        let started = reactors.try_for_each(|reactor| {
            let other = Builder::new().spawn_scoped(scope, || reactor.run());
            others.push(other.map_err(no_thread)?);
            Ok(())
        });
        let served = started.and_then(|()| first.map_or(Ok(()), Reactor::run));
        finish(site, served, others)
    })
}

fn no_thread(error: io::Error) -> io::Error {
    let words = format!("no thread for a worker (ulimit -u, or fewer --workers): {error}");
    io::Error::new(error.kind(), words)
}

/// Waits for the other workers; if this one could not serve, they are not to either.
fn finish(
    site: &Site<'_>,
    served: io::Result<()>,
    others: Vec<ScopedJoinHandle<'_, io::Result<()>>>,
) -> io::Result<()> {
    if served.is_err() {
        site.control.enter(Phase::Closing);
    }
    let others = join(others);
    served.and(others)
}
