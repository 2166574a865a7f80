//! A thread for each connection.
//!
//! - The kernel is handed one socket, in each read and each write, by the thread that serves it.
//! - A wait costs the call itself and, as soon as there is more than one client, a switch of
//!   threads.
//! - What limits it is the number of threads: each has a stack, some mappings (see
//!   [`crate::threads`]), and a place in the kernel's tables.
//! - Watch what happens when there is no thread: the client is turned away with an answer, and
//!   counted; the server goes on.
//!
//! Stacks are small (64 KiB unless told otherwise), and only the pages that are touched are real.

use std::io;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::atomic::Ordering;
use std::thread::{Builder, Scope};

use crate::drive::accept::clients;
use crate::drive::blocking;
use crate::listener::{Blocking, Listener};
use crate::models::{AtOnce, Family, Listeners, Model, Site, Workers};
use crate::stats::Counter;
use crate::worker::Worker;

pub(super) const MODEL: Model = Model {
    name: "thread",
    summary: "a thread for each connection, by blocking calls",
    family: Family::Blocking,
    at_once: AtOnce::Unlimited,
    workers: Workers::PerConnection,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let acceptor = &site.control.acceptor;
    std::thread::scope(|scope| {
        for client in clients(site, &listeners[0], Blocking::Yes)? {
            if site.control.threads().load(Ordering::Relaxed) >= site.threads_max {
                turn_away(site, client, &acceptor.refused_no_mappings);
            } else if let Err((client, error)) = spawn(scope, site, client) {
                site.control.stats.note_spawn(&error);
                site.control.complain("no thread for a client", &error);
                turn_away(site, client, &acceptor.refused_no_thread);
            }
        }
        Ok(())
    })
}

fn turn_away(site: &Site<'_>, client: TcpStream, reason: &Counter) {
    reason.count();
    site.control.acceptor.refused.count();
    site.app.turn_away(client);
}

/// Starts the thread of a client, or gives the client back.
fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &Site<'scope>,
    client: TcpStream,
) -> Result<(), (TcpStream, io::Error)> {
    let site = *site;
    // A thread that cannot be made drops what it was given: so it is given a number only.
    let client = client.into_raw_fd();
    let alive = site.control.threads();
    alive.fetch_add(1, Ordering::Relaxed);
    let spawned = Builder::new().stack_size(site.stack_octets).spawn_scoped(scope, move || {
        let mut worker = Worker::new(site.control, Blocking::Yes);
        // SAFETY: the descriptor has been given to this thread, and nobody else uses it.
        let client = unsafe { TcpStream::from_raw_fd(client) };
        let session = site.app.open(client, &mut worker);
        blocking::run(session, &mut worker);
        alive.fetch_sub(1, Ordering::Relaxed);
    });
    spawned.map(drop).map_err(|error| {
        alive.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the thread that it was for does not exist.
        (unsafe { TcpStream::from_raw_fd(client) }, error)
    })
}
