//! Accepting by a call that waits: the acceptor of the blocking models, and of `epoll-edge`.

use std::io;
use std::net::TcpStream;
use std::thread;

use crate::control::{Control, Phase, TICK};
use crate::listener::{Blocking, Listener, Refusal};
use crate::models::Site;

/// The clients that come to `listener`, until the server stops.
///
/// Those that are in the accept queue when it stops are still among them.
///
/// # Errors
/// When the listener cannot be made to wait.
pub fn clients<'a>(
    site: &Site<'a>,
    listener: &'a Listener,
) -> io::Result<impl Iterator<Item = TcpStream> + use<'a>> {
    let control = site.control;
    listener.block(control)?;
    Ok(std::iter::from_fn(move || next(control, listener)))
}

fn next(control: &Control, listener: &Listener) -> Option<TcpStream> {
    loop {
        let stopping = control.phase() != Phase::Serving;
        if stopping && listener.unblock().is_err() {
            return None;
        }
        control.acceptor.accepts.count();
        match listener.accept(Blocking::Yes) {
            Ok(client) => return Some(client),
            // One who finds no room now will not be waited for.
            Err(Refusal::Nobody | Refusal::NoRoom(_)) if stopping => return None,
            Err(Refusal::Nobody | Refusal::Gone) => {}
            Err(Refusal::NoRoom(error)) => {
                control.acceptor.accepts_without_room.count();
                control.complain("cannot accept for now", &error);
                thread::sleep(TICK);
            }
        }
    }
}
