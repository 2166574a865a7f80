//! Several threads, each with its own listener and its own level-triggered epoll(7).
//!
//! - The kernel is handed changes of interest only, by each thread for its own connections.
//! - A wait costs what the thread's active descriptors cost; threads share nothing.
//! - Nothing but the descriptor limit limits it, and it uses all processors. With a descriptor table
//!   for each thread the limit holds for each of them, and not for all together.
//! - Watch the listeners: SO_REUSEPORT lets them share the port, and the kernel chooses one for each
//!   client by a hash of the addresses. Chance deals unevenly, and a client stays where it was dealt.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use crate::control::Phase;
use crate::descriptors::{self, Descriptors};
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{
    AtOnce, Epoll, Family, Level, Listeners, Model, Site, TriggerName, Workers, join,
};
use crate::waker::Waker;

pub(super) const MODEL: Model = Model {
    name: "reactors",
    summary: "threads that each have their own SO_REUSEPORT listener and level-triggered epoll(7)",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::PerCpu,
    listeners: Listeners::PerWorker,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    match site.descriptors {
        Descriptors::Shared => together(site, &listeners),
        Descriptors::Own => apart(site, listeners),
    }
}

type Thread<'scope> = ScopedJoinHandle<'scope, io::Result<()>>;

/// All workers in one descriptor table.
fn together(site: &Site<'_>, listeners: &[Listener]) -> io::Result<()> {
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

/// Each worker in a descriptor table of its own; this thread keeps the one that there was.
fn apart(site: &Site<'_>, mut listeners: Vec<Listener>) -> io::Result<()> {
    // Everybody wakes everybody, so all wakers are there before the first worker leaves.
    let wakers = listeners.iter().map(|_| site.control.waker()).collect::<io::Result<Vec<_>>>()?;
    let (first, rest) = wakers.split_first().expect("a server has a listener");
    thread::scope(|scope| {
        let mut others = Vec::new();
        let left = rest.iter().try_for_each(|waker| {
            others.push(send_off(scope, site, waker, &mut listeners)?);
            Ok(())
        });
        let served = left.and_then(|()| {
            let own = Source::Listener(&listeners[0]);
            Reactor::<Epoll<Level>>::woken_by(Arc::clone(first), site, own)?.run()
        });
        finish(site, served, others)
    })
}

/// Starts a worker that leaves with the last listener, and waits until it has left.
fn send_off<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &Site<'scope>,
    waker: &Arc<Waker>,
    listeners: &mut Vec<Listener>,
) -> io::Result<Thread<'scope>> {
    let (site, waker) = (*site, Arc::clone(waker));
    let numbers = listeners.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
    let (left, has_left) = channel();
    let thread = Builder::new().spawn_scoped(scope, move || {
        let lived = live_apart(&site, waker, &numbers, &left);
        lived.inspect_err(|_| site.control.enter(Phase::Closing))
    });
    // A worker that could not leave says nothing here: it stops the server, and its error is the
    // server's.
    let _ = has_left.recv();
    listeners.pop();
    thread.map_err(no_thread)
}

/// Leaves the table for one where the last of these listeners is the only one, and serves there.
fn live_apart(
    site: &Site<'_>,
    waker: Arc<Waker>,
    listeners: &[RawFd],
    left: &Sender<()>,
) -> io::Result<()> {
    let (&mine, others) = listeners.split_last().expect("there is a listener for each worker");
    let listener = Listener::from(descriptors::part(mine, others)?);
    let _ = left.send(());
    Reactor::<Epoll<Level>>::woken_by(waker, site, Source::Listener(&listener))?.run()
}

fn no_thread(error: io::Error) -> io::Error {
    let words = format!("no thread for a worker (ulimit -u, or fewer --workers): {error}");
    io::Error::new(error.kind(), words)
}

/// Waits for the other workers; if this one could not serve, they are not to either.
fn finish(site: &Site<'_>, served: io::Result<()>, others: Vec<Thread<'_>>) -> io::Result<()> {
    if served.is_err() {
        site.control.enter(Phase::Closing);
    }
    let others = join(others);
    served.and(others)
}
