//! Several threads, each with its own listener and its own level-triggered epoll(7).
//!
//! - The kernel is handed changes of interest only, by each thread for its own connections.
//! - A wait costs what the thread's active descriptors cost; threads share nothing.
//! - Nothing but the descriptor limit limits it, and it uses all processors.
//! - Watch the listeners: SO_REUSEPORT lets them share the port, and the kernel chooses one for each
//!   client by a hash of the addresses. Chance deals unevenly, and a client stays where it was dealt.

use std::io;
use std::thread;

use crate::drive::reactor::{Reactor, Source};
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
    serve,
};

fn serve(site: &Site<'_>) -> io::Result<()> {
    let reactors = site
        .listeners
        .iter()
        .map(|own| Reactor::<Epoll<Level>>::new(site, Source::Listener(own)))
        .collect::<io::Result<Vec<_>>>()?;
    let mut reactors = reactors.into_iter();
    let first = reactors.next();
    thread::scope(|scope| {
        let others = reactors.map(|reactor| scope.spawn(|| reactor.run())).collect();
        let served = first.map_or(Ok(()), Reactor::run);
        let others = join(others);
        served.and(others)
    })
}
