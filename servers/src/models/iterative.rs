//! One client at a time: accept, serve to the end, accept the next.
//!
//! - The kernel is handed one socket, in each read and each write, and comes back when that is
//!   done.
//! - A wait costs one system call that does the work as well, and nothing else.
//! - What limits it is that one client: all others wait in the accept queue meanwhile, for as long
//!   as it likes to stay.
//! - Watch the loop below. It is the server of the first chapter of every textbook, and the
//!   baseline: no model can spend less on a request, and none serves fewer clients.

use std::io;

use crate::drive::accept::clients;
use crate::drive::blocking;
use crate::listener::{Blocking, Listener};
use crate::models::{AtOnce, Family, Listeners, Model, Site, Workers};
use crate::worker::Worker;

pub(super) const MODEL: Model = Model {
    name: "iterative",
    summary: "one client at a time, by blocking calls: the teaching baseline",
    family: Family::Blocking,
    at_once: AtOnce::One,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    let mut worker = Worker::new(site.control, Blocking::Yes);
    for client in clients(site, &listeners[0], Blocking::Yes)? {
        let session = site.app.open(client, &mut worker);
        blocking::run(session, &mut worker);
    }
    Ok(())
}
