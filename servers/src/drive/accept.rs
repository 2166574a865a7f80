//! Accepting by a call that waits: the acceptor of the blocking models, and of `epoll-edge`.

use std::io;
use std::iter;
use std::net::TcpStream;

use crate::control::{Control, Phase, TICK};
use crate::listener::{Blocking, Listener, Refusal};
use crate::models::Site;

/// The clients that come to `listener`, until the server stops. Calls on their sockets wait, or
/// not, as `blocking` says.
///
/// Those that are in the accept queue when it stops are still among them; who comes later is not,
/// or clients that come again and again would keep it from stopping.
///
/// # Errors
/// When the listener cannot be made to wait.
pub fn clients<'a>(
    site: &Site<'a>,
    listener: &'a Listener,
    blocking: Blocking,
) -> io::Result<impl Iterator<Item = TcpStream> + use<'a>> {
    let control = site.control;
    listener.block(control)?;
    let come = iter::from_fn(move || next(control, listener, blocking));
    Ok(come.chain(iter::once_with(move || last(control, listener, blocking)).flatten()))
}

/// Waits for the next one.
fn next(control: &Control, listener: &Listener, blocking: Blocking) -> Option<TcpStream> {
    while control.phase() == Phase::Serving {
        control.acceptor.accepts.count();
        match listener.accept(blocking) {
            Ok(client) => return Some(client),
            Err(Refusal::Nobody | Refusal::Gone) => {}
            Err(Refusal::NoRoom(error)) => {
                control.acceptor.accepts_without_room.count();
                make_room(control, &error);
            }
        }
    }
    None
}

/// Those who wait now. One who finds no room will not be waited for.
fn last(
    control: &Control,
    listener: &Listener,
    blocking: Blocking,
) -> impl Iterator<Item = TcpStream> {
    let mut left = listener.unblock().map_or(0, |()| listener.waiting());
    iter::from_fn(move || {
        while left > 0 && control.phase() != Phase::Closing {
            left -= 1;
            control.acceptor.accepts.count();
            match listener.accept(blocking) {
                Ok(client) => return Some(client),
                Err(Refusal::Gone) => {}
                Err(Refusal::Nobody) => left = 0,
                Err(Refusal::NoRoom(error)) => {
                    control.acceptor.accepts_without_room.count();
                    control.complain("cannot accept for now", &error);
                    left = 0;
                }
            }
        }
        listener.retire();
        None
    })
}

/// Frees a descriptor that is only kept for later, by threads or by a worker of this table. If
/// nobody has one to spare, this takes a tick.
fn make_room(control: &Control, error: &io::Error) {
    if control.has_links_to_spare() && control.give_up_link() {
        return;
    }
    control.complain("cannot accept for now", error);
    control.appeal_for_room();
    control.appeal.wait(TICK);
}
