//! What a connection has counted itself: `TCP_INFO` (tcp(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// What a connection has counted.
pub(super) struct Count {
    /// It is no connection any more.
    pub(super) is_closed: bool,
    /// The peer has ended, or we have.
    pub(super) has_ended: bool,
    /// Octets from the peer. An end counts as one.
    pub(super) came_in: u64,
    /// Octets for the peer that the connection has taken.
    pub(super) out: u64,
}

/// The state of a connection that is open in both directions (net/tcp_states.h).
const TCP_ESTABLISHED: u8 = 1;
/// That of one that is none any more.
const TCP_CLOSE: u8 = 7;

/// Where in `struct tcp_info` (linux/tcp.h) a field is, in octets.
mod place {
    pub(super) const STATE: usize = 0;
    pub(super) const BYTES_RECEIVED: usize = 128;
    pub(super) const NOTSENT_BYTES: usize = 144;
    pub(super) const BYTES_SENT: usize = 200;
    pub(super) const BYTES_RETRANS: usize = 208;
    pub(super) const END: usize = 216;
}

/// Asks it.
///
/// # Errors
/// What getsockopt(2) says.
pub(super) fn count(socket: BorrowedFd<'_>) -> io::Result<Count> {
    let mut info = [0_u8; place::END];
    let mut length = place::END as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` octets, for which `info` has room.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let word = |place: usize| {
        let octets = info[place..place + 8].first_chunk().copied().unwrap_or_default();
        u64::from_ne_bytes(octets)
    };
    let unsent = word(place::NOTSENT_BYTES) & u64::from(u32::MAX);
    let out = word(place::BYTES_SENT).saturating_sub(word(place::BYTES_RETRANS)) + unsent;
    Ok(Count {
        is_closed: info[place::STATE] == TCP_CLOSE,
        has_ended: info[place::STATE] != TCP_ESTABLISHED,
        came_in: word(place::BYTES_RECEIVED),
        out,
    })
}
