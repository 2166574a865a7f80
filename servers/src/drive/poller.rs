//! The seam between the readiness loop and the kernel: six small functions.
//!
//! The models list them in the same order, so that putting two model files side by side shows the
//! difference between two kernel interfaces and nothing else.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::poll::PollFlags;

use crate::connection::Interest;

/// When a poller reports a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At each wait while the descriptor is ready for what is wanted.
    Level,
    /// Once each time it becomes ready, for reading as well as for writing; whoever is told must go
    /// on until the descriptor is no longer ready.
    Edge,
    /// Once, after which it must be asked for again.
    Oneshot,
}

/// The name of a registration: a slot, and which of the slot's tenants is meant.
///
/// The generation keeps an event for a connection that is gone from reaching the one that has its
/// slot, and its descriptor, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The number of the slot.
    pub slot: u32,
    /// How many tenants the slot has had before.
    pub generation: u32,
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        Self::from(token.generation) << 32 | Self::from(token.slot)
    }
}

impl From<u64> for Token {
    fn from(word: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
        Self { slot: word as u32, generation: (word >> 32) as u32 }
    }
}

/// A descriptor is ready.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Whose it is.
    pub token: Token,
    /// For what.
    pub ready: Ready,
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// A read does not wait: there are octets, or the end.
    pub read: bool,
    /// A write does not wait.
    pub write: bool,
    /// The peer has closed its direction, or the connection is broken.
    pub ended: bool,
}

impl Ready {
    /// Ready for one thing.
    #[must_use]
    pub fn only(interest: Interest) -> Self {
        match interest {
            Interest::Read | Interest::End => Self { read: true, ..Self::default() },
            Interest::Write => Self { write: true, ..Self::default() },
            Interest::Either => Self { read: true, write: true, ..Self::default() },
        }
    }

    /// What of `interest` there is any point in trying: one thing at a time, and writing first. A
    /// connection that has ended is worth a read: it says how.
    #[must_use]
    pub fn allows(self, interest: Interest) -> Option<Interest> {
        if interest.writes() && self.write {
            return Some(Interest::Write);
        }
        (interest.reads() && (self.read || self.ended)).then_some(Interest::Read)
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: Self) {
        self.read |= event.read;
        // A write to a broken connection says how it is broken.
        self.write |= event.write || event.ended;
        self.ended |= event.ended;
    }

    /// A call for `interest` found nothing more to do.
    pub fn dry(&mut self, interest: Interest) {
        if interest == Interest::Write {
            self.write = false;
            return;
        }
        // The last octets and the end come in one event; so the end is worth one more read.
        self.ended &= self.read;
        self.read = false;
    }
}

/// A set of descriptors that can be waited for.
pub trait Poller: Sized {
    /// When it reports a descriptor.
    const TRIGGER: Trigger;

    /// System calls that one [`wait`](Self::wait) makes.
    const CALLS_PER_WAIT: u64 = 1;

    /// Those that [`add`](Self::add), [`modify`](Self::modify) and [`remove`](Self::remove) make,
    /// each: none where the set is kept here, and handed over at each wait.
    const CALLS_PER_CONTROL: u64 = 1;

    /// Those that [`forget`](Self::forget) makes.
    const CALLS_PER_FORGET: u64 = Self::CALLS_PER_CONTROL;

    /// Descriptors from this one on are beyond it.
    const CEILING: Option<RawFd> = None;

    /// An empty set.
    ///
    /// # Errors
    /// When the kernel has no room for it.
    fn new() -> io::Result<Self>;

    /// Adds a descriptor, which stays open until it is removed.
    ///
    /// # Errors
    /// When the kernel has no room for it, or it is not below [`CEILING`](Self::CEILING).
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Changes what is wanted of a descriptor, or asks for it again.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Takes a descriptor out.
    ///
    /// # Errors
    /// When it is not in.
    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// A descriptor is about to be closed. Where the kernel forgets it by itself then, there is
    /// nothing to do.
    fn forget(&mut self, fd: BorrowedFd<'_>) {
        let _ = self.remove(fd);
    }

    /// Waits until something is ready, and puts it into `events`, which is empty.
    ///
    /// With [`Block::No`] it only looks.
    ///
    /// # Errors
    /// When the kernel refuses; an interruption by a signal is not an error.
    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()>;
}

/// Whether a wait may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// As long as nothing is ready.
    Yes,
    /// Not at all.
    No,
}

/// What poll(2) is to look for.
pub(crate) fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read | Interest::End => PollFlags::POLLIN,
        Interest::Write => PollFlags::POLLOUT,
        Interest::Either => PollFlags::POLLIN | PollFlags::POLLOUT,
    }
}

/// What poll(2) has found.
pub(crate) fn ready_for(flags: PollFlags) -> Ready {
    let ends = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    Ready {
        read: flags.contains(PollFlags::POLLIN),
        write: flags.contains(PollFlags::POLLOUT),
        ended: flags.intersects(ends),
    }
}
