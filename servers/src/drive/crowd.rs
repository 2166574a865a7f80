//! Who sits in a blocking read, and how they are told that it is time to go.
//!
//! A thread that waits in read(2) for its client hears nothing else. When the server stops,
//! somebody must end that wait from outside: shutdown(2) for reading makes the read return what has
//! arrived, and then the end, as if the client had closed. Clients that are between two messages
//! are ushered out like that; the others may finish what they have begun.
//!
//! Whoever looks from outside sees a client between two messages also while the next one waits in
//! its socket for a thread that is not awake yet, and while the thread has it in its hands. To end
//! the reading then would cut a message that has begun. So only those are shown out of whom nothing
//! is there to be read, and whose thread has not gone on from one look to the next.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::socket::{self, Shutdown as Direction, sockopt};

use crate::connection::Wait;
use crate::control::Phase;
use crate::proxy::link::is_quiet;

/// All clients that are served by blocking calls now.
#[derive(Debug, Default)]
pub struct Crowd(Mutex<HashMap<RawFd, Arc<Seat>>>);

/// One of them.
#[derive(Debug)]
pub struct Seat {
    between: AtomicBool,
    /// Its thread has not gone on since somebody looked.
    seen: AtomicBool,
}

impl Seat {
    /// Notes what its thread is about to wait for.
    pub fn note(&self, wait: Wait) {
        self.between.store(wait == Wait::Idle, Ordering::Relaxed);
        self.seen.store(false, Ordering::Relaxed);
    }

    /// Looks; says whether the client is between two messages, and was when somebody last looked.
    fn rests(&self) -> bool {
        self.between.load(Ordering::Relaxed) && self.seen.swap(true, Ordering::Relaxed)
    }
}

/// A seat that is taken; leaving it is dropping this, and must come before the socket is closed.
#[derive(Debug)]
pub struct Taken<'a> {
    crowd: &'a Crowd,
    socket: RawFd,
    seat: Arc<Seat>,
}

impl Crowd {
    /// Takes a seat for the time that `socket` is served.
    pub fn sit(&self, socket: BorrowedFd<'_>) -> Taken<'_> {
        let seat = Arc::new(Seat { between: AtomicBool::new(true), seen: AtomicBool::new(false) });
        self.seats().insert(socket.as_raw_fd(), Arc::clone(&seat));
        Taken { crowd: self, socket: socket.as_raw_fd(), seat }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.seats().len()
    }

    /// Whether nobody is left.
    pub fn is_empty(&self) -> bool {
        self.seats().is_empty()
    }

    /// Shows out who must go in this phase. Nobody whose connection is to be reset when it is
    /// closed: to the client, an end would look like the end of its answer. Its thread never waits
    /// for long.
    pub fn usher(&self, phase: Phase) {
        if phase == Phase::Serving {
            return;
        }
        for (&number, seat) in self.seats().iter() {
            // SAFETY: it is open: a seat is left, under this lock, before its socket is closed.
            let socket = unsafe { BorrowedFd::borrow_raw(number) };
            let direction = match phase {
                Phase::Closing if ends_by_reset(socket) => continue,
                Phase::Closing => Direction::Both,
                _ if seat.rests() && is_quiet(socket) => Direction::Read,
                _ => continue,
            };
            // The connection itself may be gone, and then nobody waits for it any more.
            let _ = socket::shutdown(number, direction);
        }
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<RawFd, Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether closing that socket resets its connection (socket(7), `SO_LINGER`).
fn ends_by_reset(socket: BorrowedFd<'_>) -> bool {
    let linger = socket::getsockopt(&socket, sockopt::Linger);
    linger.is_ok_and(|linger| linger.l_onoff != 0 && linger.l_linger == 0)
}

impl Taken<'_> {
    /// The seat.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.crowd.seats().remove(&self.socket);
    }
}
