//! Accepting by a call that waits: the acceptor of the blocking models, and of `epoll-edge`.

use std::io;
use std::net::TcpStream;
use std::thread;

use crate::control::{Phase, TICK};
use crate::listener::{Blocking, Listener, Refusal};
use crate::models::Site;

/// The clients that come to the first listener, until the server stops.
///
/// Those that are in the accept queue when it stops are still among them.
///
/// # Errors
/// When the listener cannot be made to wait.
pub fn clients<'a>(site: &Site<'a>) -> io::Result<impl Iterator<Item = TcpStream> + use<'a>> {
    let site = *site;
    let listener = &site.listeners[0];
    listener.block(site.control)?;
    Ok(std::iter::from_fn(move || next(&site, listener)))
}

fn next(site: &Site<'_>, listener: &Listener) -> Option<TcpStream> {
    loop {
        let stopping = site.control.phase() != Phase::Serving;
        if stopping && listener.unblock().is_err() {
            return None;
        }
        site.control.stats.acceptor.accepts.count();
        match listener.accept(Blocking::Yes) {
            Ok(client) => return Some(client),
            Err(Refusal::Nobody) if stopping => return None,
            Err(Refusal::Nobody | Refusal::Gone) => {}
            Err(Refusal::NoRoom(error)) => {
                site.control.complain("cannot accept for now", &error);
                thread::sleep(TICK);
            }
        }
    }
}
