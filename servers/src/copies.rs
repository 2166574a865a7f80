//! Several copies of a model in one process, each in a descriptor table of its own.
//!
//! In tables that have parted, one number means two things. So a descriptor that a copy opens is
//! used and closed by that copy alone: its listeners, its wakers, its clock. What all of them use
//! is opened before they part (the directory of files), or is no descriptor at all (the counters,
//! the phase). Whatever else is open by then, such as a connection of somebody beside the copies,
//! is closed in their tables.
//! The thread that starts them keeps the table that there was; it hears the signals, and the copies
//! see at their next tick what it has heard.
//!
//! Nothing here knows how a model waits. What changes with a second table is what changes with a
//! second process: the kernel deals the clients out to the listeners, by chance, and a client stays
//! with the copy that it was dealt to.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use crate::control::Phase;
use crate::keeper::Keeper;
use crate::listener::Listener;
use crate::models::{Family, Model, Site, join};
use crate::tables;

type Copy<'scope> = ScopedJoinHandle<'scope, io::Result<()>>;

/// Serves the clients of these listeners until the server stops: in one copy for each `per_copy` of
/// them.
///
/// # Errors
/// When a copy cannot be made, or gives up; then the others stop too.
pub fn serve(
    model: &Model,
    site: &Site<'_>,
    listeners: Vec<Listener>,
    per_copy: usize,
) -> io::Result<()> {
    if listeners.len() <= per_copy {
        return keep_and_serve(model, site, listeners);
    }
    serve_apart(model, site, listeners, per_copy)
}

/// The same, and none of the copies stays in the table of whoever calls: clients that fill the
/// tables of the copies leave that one as it is.
///
/// # Errors
/// As above.
pub fn serve_apart(
    model: &Model,
    site: &Site<'_>,
    mut listeners: Vec<Listener>,
    per_copy: usize,
) -> io::Result<()> {
    let alive = Alive { copies: AtomicUsize::new(1), none: AtomicBool::new(false) };
    thread::scope(|scope| {
        let mut copies = Vec::new();
        let mut left = Ok(());
        while left.is_ok() && !listeners.is_empty() {
            left = send_off(scope, (model, site, &alive), &mut listeners, per_copy)
                .map(|copy| copies.push(copy));
        }
        if left.is_err() {
            site.control.enter(Phase::Closing);
        }
        alive.one_less();
        site.keeper.keep_until(&alive.none, site.control);
        let served = join(copies);
        left.and(served)
    })
}

/// Serves in this thread's table. Blocking models need somebody beside them who keeps the time.
fn keep_and_serve(model: &Model, site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    if model.family != Family::Blocking {
        return (model.serve)(site, listeners);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        Builder::new()
            .spawn_scoped(scope, || site.keeper.keep_until(&done, site.control))
            .map_err(|error| no_thread("the clock of a copy", &error))?;
        let served = (model.serve)(site, listeners);
        done.store(true, Ordering::Release);
        served
    })
}

/// How many copies there are, and whether there is none any more.
struct Alive {
    copies: AtomicUsize,
    none: AtomicBool,
}

impl Alive {
    fn one_less(&self) {
        if self.copies.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.store(true, Ordering::Release);
        }
    }
}

/// Starts a copy that leaves with the last listeners, and waits until it has left.
fn send_off<'scope>(
    scope: &'scope Scope<'scope, '_>,
    (model, site, alive): (&'scope Model, &Site<'scope>, &'scope Alive),
    listeners: &mut Vec<Listener>,
    per_copy: usize,
) -> io::Result<Copy<'scope>> {
    let site = *site;
    let numbers = listeners.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
    let (left, has_left) = channel();
    alive.copies.fetch_add(1, Ordering::AcqRel);
    let copy = Builder::new().spawn_scoped(scope, move || {
        let mine = &numbers[numbers.len() - per_copy..];
        let lived = live_apart(model, &site, mine, &left);
        let lived = lived.inspect_err(|_| site.control.enter(Phase::Closing));
        alive.one_less();
        lived
    });
    if copy.is_err() {
        alive.one_less();
    }
    // A copy that could not leave says nothing here: it stops the server, and its error is the
    // server's.
    let _ = has_left.recv();
    listeners.truncate(listeners.len() - per_copy);
    copy.map_err(|error| no_thread("a copy", &error))
}

fn no_thread(whose: &str, error: &io::Error) -> io::Error {
    let words = format!("no thread for {whose} (ulimit -u, or fewer --tables): {error}");
    io::Error::new(error.kind(), words)
}

/// Leaves the table for one where only `mine` of the listeners are, and serves there.
fn live_apart(model: &Model, site: &Site<'_>, mine: &[RawFd], left: &Sender<()>) -> io::Result<()> {
    let mine = tables::part_with_only(mine, &site.app.descriptors())?;
    let (control, keeper) = (site.control.copy(), Keeper::of_a_copy()?);
    let _ = left.send(());
    let site = Site { control: &control, keeper: &keeper, ..*site };
    keep_and_serve(model, &site, mine.into_iter().map(Listener::from).collect())
}
