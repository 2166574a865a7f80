//! A thread for each connection.
//!
//! - The kernel is handed one socket, in each read and each write, by the thread that serves it.
//! - A wait costs the call itself and, as soon as there is more than one client, a switch of threads.
//! - What limits it is the number of threads: each has a stack, some mappings, and a place in the
//!   kernel's tables.
//! - Watch what happens when there is no thread: the client is turned away and counted; the server
//!   goes on.
//!
//! Stacks are small (64 KiB unless told otherwise), and only the pages that are touched are real.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, Scope};

use crate::drive::accept::clients;
use crate::drive::blocking;
use crate::listener::Listener;
use crate::models::{AtOnce, Family, Listeners, Model, Site, Workers};
use crate::worker::Worker;

pub(super) const MODEL: Model = Model {
    name: "thread",
    summary: "a thread for each connection, by blocking calls",
    family: Family::Blocking,
    at_once: AtOnce::Unlimited,
    workers: Workers::PerConnection,
    listeners: Listeners::One,
    serve,
};

/// Mappings that a thread takes: its stack and the stack for its signal handler, each with a guard
/// page, which is a mapping of its own.
const MAPPINGS_PER_THREAD: usize = 4;
/// Mappings left for everything else in the process.
const MAPPINGS_SPARE: usize = 1_000;

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let threads_max = threads_max();
    let alive = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in clients(site, &listeners[0])? {
            let room = alive.load(Ordering::Relaxed) < threads_max;
            let spawned = if room {
                spawn(scope, site, client, &alive)
            } else {
                Err(io::Error::other("vm.max_map_count leaves no room for another thread's stack"))
            };
            if let Err(error) = spawned {
                site.control.stats.acceptor.refused.count();
                site.control.complain("no thread for a client", &error);
            }
        }
        Ok(())
    })
}

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &Site<'scope>,
    client: TcpStream,
    alive: &'scope AtomicUsize,
) -> io::Result<()> {
    let site = *site;
    alive.fetch_add(1, Ordering::Relaxed);
    let spawned = Builder::new().stack_size(site.stack_octets).spawn_scoped(scope, move || {
        let mut worker = Worker::new(site.control);
        let session = site.app.open(client, &worker);
        blocking::run(session, &mut worker);
        alive.fetch_sub(1, Ordering::Relaxed);
    });
    if spawned.is_err() {
        alive.fetch_sub(1, Ordering::Relaxed);
    }
    spawned.map(drop)
}

/// How many threads may live at once.
///
/// The kernel's other limits make a spawn fail, which is an answer. This one does not: the library
/// maps a stack for the thread's signal handler when the thread already runs, and aborts the process
/// when it cannot. So it is kept from ever getting there.
fn threads_max() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let mappings = limit.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(65_530_usize);
    mappings.saturating_sub(MAPPINGS_SPARE) / MAPPINGS_PER_THREAD
}
