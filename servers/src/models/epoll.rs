//! epoll(7), the part that its four models share.
//!
//! - The kernel keeps the set of descriptors, and is told of changes; a wait hands over nothing and
//!   brings back those that are ready.
//! - A wait costs what the active descriptors cost; idle ones are free.
//! - Nothing but the descriptor limit limits it.
//! - Watch the flags: they are all that makes a descriptor level-triggered, edge-triggered or
//!   one-shot, and which calls they save or cost is what `drive::reactor` does with
//!   [`Trigger`].

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::epoll::{EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};

/// The most events that one wait brings.
const EVENTS_MAX: usize = 256;

/// How epoll is asked.
pub trait Asking {
    /// When it is to report.
    const TRIGGER: Trigger;

    /// The flags for a descriptor of which this is wanted.
    fn flags(interest: Interest) -> EpollFlags;
}

/// As poll(2) would.
#[derive(Debug)]
pub struct Level;

/// Each change once.
#[derive(Debug)]
pub struct Edge;

/// One report, and then no more until asked again.
#[derive(Debug)]
pub struct Oneshot;

impl Asking for Level {
    const TRIGGER: Trigger = Trigger::Level;

    fn flags(interest: Interest) -> EpollFlags {
        match interest {
            Interest::Read => EpollFlags::EPOLLIN,
            Interest::Write => EpollFlags::EPOLLOUT,
            Interest::Either => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            Interest::End => EpollFlags::EPOLLRDHUP,
        }
    }
}

impl Asking for Edge {
    const TRIGGER: Trigger = Trigger::Edge;

    fn flags(interest: Interest) -> EpollFlags {
        // EPOLLRDHUP tells of the peer's half-close in the same event as its last octets; a reader
        // that stops at a short read would otherwise miss it.
        Level::flags(interest) | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
    }
}

impl Asking for Oneshot {
    const TRIGGER: Trigger = Trigger::Oneshot;

    fn flags(interest: Interest) -> EpollFlags {
        Level::flags(interest) | EpollFlags::EPOLLONESHOT
    }
}

/// A set of descriptors that the kernel keeps.
#[derive(Debug)]
pub struct Epoll<A> {
    epoll: nix::sys::epoll::Epoll,
    ready: Box<[EpollEvent]>,
    asking: PhantomData<A>,
}

impl<A: Asking> Poller for Epoll<A> {
    const TRIGGER: Trigger = A::TRIGGER;
    const CALLS_PER_FORGET: u64 = 0;

    fn new() -> io::Result<Self> {
        let epoll = nix::sys::epoll::Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let ready = vec![EpollEvent::empty(); EVENTS_MAX].into_boxed_slice();
        Ok(Self { epoll, ready, asking: PhantomData })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(A::flags(interest), token.into()))?)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(A::flags(interest), token.into()))?)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    fn forget(&mut self, _fd: BorrowedFd<'_>) {
        // A descriptor leaves the set when it is closed, unless it has a duplicate; ours have none.
    }

    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
        let timeout = if block == Block::Yes { EpollTimeout::NONE } else { EpollTimeout::ZERO };
        let count = match self.epoll.wait(&mut self.ready, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            count => count?,
        };
        events.extend(
            self.ready[..count].iter().map(|event| Event {
                token: event.data().into(),
                ready: ready_for(event.events()),
            }),
        );
        Ok(())
    }
}

fn ready_for(flags: EpollFlags) -> Ready {
    let ends = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
    Ready {
        read: flags.contains(EpollFlags::EPOLLIN),
        write: flags.contains(EpollFlags::EPOLLOUT),
        ended: flags.intersects(ends),
    }
}
