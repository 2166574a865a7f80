//! What the client sees when its connection is closed.
//!
//! An answer without a length, for a client that knows no chunks, is over where its connection is:
//! cut short, it would look whole. Not every cut is made on purpose and in one place. A client that
//! reads too slowly is given up, a stop that is forced drops what is under way, and a process that
//! is killed closes all it had. So the socket is set beforehand to be reset when it is closed, by
//! whomever, and is set back when the last octet is out.

use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

/// What the client sees when its connection is closed now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Parting {
    /// An end.
    #[default]
    End,
    /// A reset (socket(7), `SO_LINGER` with a time of 0).
    Reset,
}

impl Parting {
    /// From now on it is to see this.
    pub(super) fn set(&mut self, parting: Self, stream: &TcpStream) {
        if *self != parting {
            let linger = (parting == Self::Reset).then_some(Duration::ZERO);
            // Where that is refused, there is nobody left to see it.
            let _ = SockRef::from(stream).set_linger(linger);
            *self = parting;
        }
    }
}
