//! A fixed number of threads, and a queue of clients who wait for one.
//!
//! - The kernel is handed one socket, in each read and each write, by the thread that serves it.
//! - A wait costs what it costs with a thread for each connection, but threads are made only once.
//! - What limits it is the number of threads: a client keeps its thread for as long as it keeps its
//!   connection, and the next one waits. Idle clients with keep-alive are enough to starve all
//!   others.
//! - Watch the queue: it is bounded, and when it is full the acceptor waits, so that further
//!   clients wait in the kernel's accept queue.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use crate::drive::accept::clients;
use crate::drive::blocking;
use crate::listener::{Blocking, Listener};
use crate::models::{AtOnce, Family, Listeners, Model, Site, Workers, no_thread};
use crate::worker::Worker;

pub(super) const MODEL: Model = Model {
    name: "pool",
    summary: "a fixed number of threads and a queue of clients, by blocking calls",
    family: Family::Blocking,
    at_once: AtOnce::Workers,
    workers: Workers::Fixed(10),
    listeners: Listeners::One,
    tables: 1,
    serve,
};

/// How many clients wait in the queue before the acceptor waits too.
const QUEUE_MAX: usize = 1_024;

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let (queue, waiting) = sync_channel(QUEUE_MAX);
    let waiting = Mutex::new(waiting);
    std::thread::scope(|scope| {
        for _ in 0..site.workers {
            let waiting = &waiting;
            std::thread::Builder::new()
                .stack_size(site.stack_octets)
                .spawn_scoped(scope, move || work(site, waiting))
                .map_err(no_thread)?;
        }
        for client in clients(site, &listeners[0], Blocking::Yes)? {
            // The threads end only after the queue has.
            let _ = queue.send(client);
        }
        drop(queue);
        Ok(())
    })
}

fn work(site: &Site<'_>, waiting: &Mutex<Receiver<TcpStream>>) {
    let mut worker = Worker::new(site.control, Blocking::Yes);
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(client) = next else { return };
        let session = site.app.open(client, &mut worker);
        blocking::run(session, &mut worker);
    }
}
