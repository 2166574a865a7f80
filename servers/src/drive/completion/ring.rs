//! The seam between the completion loop and the kernel: requests go in, and come back done.
//!
//! A poller says that a call would not wait now; a ring makes the call. What is asked between two
//! turns goes to the kernel together, and what is done comes back together: one system call for all
//! of it.
//!
//! Whatever the kernel may do to a request, a test can do too: the loop knows nothing but this
//! trait.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::drive::poller::Token;

/// Slots are numbered below this: the other bits of a request's name say what is asked.
pub(super) const SLOTS: u32 = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 29;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Clients.
    Accept,
    /// Octets from a peer.
    Receive,
    /// Octets to a peer.
    Send,
    /// A report that a write would not wait.
    Room,
    /// A report that a read would not wait.
    Ready,
    /// A report that something has happened to a descriptor from which nothing is wanted.
    Look,
    /// The end of another request.
    Cancel,
}

impl What {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Accept,
        Self::Receive,
        Self::Send,
        Self::Room,
        Self::Ready,
        Self::Look,
        Self::Cancel,
    ];
}

/// The name of a request: whose it is, and for what. The generation in the token keeps an answer
/// that is meant for a socket which is gone from the one that has its slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// What is asked.
    pub what: What,
    /// Whose socket; its slot is below 2²⁹.
    pub token: Token,
}

impl From<Name> for u64 {
    fn from(name: Name) -> Self {
        Self::from(name.token) | (name.what as Self) << SLOT_BITS
    }
}

impl From<u64> for Name {
    fn from(word: u64) -> Self {
        let Token { slot, generation } = word.into();
        let what = What::ALL.get((slot / SLOTS) as usize).copied().unwrap_or(What::Cancel);
        Self { what, token: Token { slot: slot % SLOTS, generation } }
    }
}

/// Whether octets are likely to be there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// The peer has yet to send them: a look for them now would be in vain.
    #[default]
    Later,
    /// The last receive has left some behind.
    Now,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'s> {
    /// Clients of this listener, one after the other until it is cancelled or fails.
    Accept(BorrowedFd<'s>),
    /// Octets from this socket, once there are some, in a buffer that the ring lends for it.
    Receive(BorrowedFd<'s>, Expect),
    /// As many of these octets into this socket as it has room for now.
    Send(BorrowedFd<'s>, &'s [u8]),
    /// A report once the descriptor is ready for one of these, or broken.
    Poll(BorrowedFd<'s>, PollFlags),
    /// The end of the request of that name.
    Cancel(Name),
}

/// A buffer that the ring has lent, with what was received in it. It can be given back once.
#[derive(Debug)]
pub struct Lent(pub(super) u16);

/// A request that is done, or has brought one more thing.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub name: Name,
    /// How many octets, or the descriptor of a client; or what was wrong.
    pub result: Result<u32, Errno>,
    /// Where the octets are that were received.
    pub lent: Option<Lent>,
    /// Whether the request goes on.
    pub goes_on: bool,
    /// Whether the socket has more to give.
    pub expect: Expect,
}

/// A queue of requests to the kernel, and one of those that are done.
pub trait Ring {
    /// Begins: from now on only this thread asks.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn start(&mut self) -> io::Result<()>;

    /// Puts a request into the queue.
    ///
    /// # Safety
    /// The octets of a [`Ask::Send`] stay where they are until it is done, and the descriptor stays
    /// open until there is no [`backlog`](Self::backlog).
    unsafe fn ask(&mut self, name: Name, ask: Ask<'_>);

    /// Hands over what was asked, waits until something is done, and adds it to `done`. An
    /// interruption, or a kernel that has too much to do, is not an error: then nothing may be done
    /// yet.
    ///
    /// # Errors
    /// When the kernel refuses, or has lost an answer.
    fn turn(&mut self, done: &mut Vec<Done>) -> io::Result<()>;

    /// How many requests the kernel has not taken yet.
    fn backlog(&mut self) -> usize;

    /// How many system calls it has made since it was last asked this.
    fn calls(&mut self) -> u64;

    /// The first `count` octets of a buffer.
    fn octets(&self, lent: &Lent, count: u32) -> &[u8];

    /// Takes a buffer back, for the next receive.
    fn take_back(&mut self, lent: Lent);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_the_way_through_the_kernel() {
        for what in What::ALL {
            for (slot, generation) in [(0, 0), (7, u32::MAX), (SLOTS - 1, 1)] {
                let name = Name { what, token: Token { slot, generation } };
                assert_eq!(Name::from(u64::from(name)), name);
            }
        }
    }
}
