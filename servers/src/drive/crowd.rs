//! Who sits in a blocking read, and how they are told that it is time to go.
//!
//! A thread that waits in read(2) for its client hears nothing else. When the server stops, somebody
//! must end that wait from outside: shutdown(2) for reading makes the read return what has arrived,
//! and then the end, as if the client had closed. Clients that are between two messages are ushered
//! out like that at once; the others may finish what they have begun.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::socket::{self, Shutdown as Direction, sockopt};

use crate::control::Phase;

/// All clients that are served by blocking calls now.
#[derive(Debug, Default)]
pub struct Crowd(Mutex<HashMap<RawFd, Arc<Seat>>>);

/// One of them.
#[derive(Debug)]
pub struct Seat {
    between: AtomicBool,
}

impl Seat {
    /// Notes whether the client is between two messages.
    pub fn note(&self, between: bool) {
        self.between.store(between, Ordering::Relaxed);
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
        let seat = Arc::new(Seat { between: AtomicBool::new(true) });
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

    /// Shows out who must go in this phase. Nobody whose connection is to be reset when it is closed: to
    /// the client, an end would look like the end of its answer. Its thread never waits for long.
    pub fn usher(&self, phase: Phase) {
        if phase == Phase::Serving {
            return;
        }
        for (&socket, seat) in self.seats().iter() {
            let direction = match phase {
                Phase::Closing if ends_by_reset(socket) => continue,
                Phase::Closing => Direction::Both,
                _ if seat.between.load(Ordering::Relaxed) => Direction::Read,
                _ => continue,
            };
            // The descriptor is open: a seat is left, under this lock, before its socket is closed.
            // The connection itself may be gone, and then nobody waits for it any more.
            let _ = socket::shutdown(socket, direction);
        }
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<RawFd, Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether closing that socket, which is open, resets its connection (socket(7), `SO_LINGER`).
fn ends_by_reset(socket: RawFd) -> bool {
    // SAFETY: a seat is left, under the lock that the caller holds, before its socket is closed.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
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
