//! A descriptor in an epoll set of its own.

use std::fmt;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How long a wait takes that brings nothing, in milliseconds. Whatever could come has come before:
/// it is so long only that nobody need believe that.
const QUIET: u16 = 50;

/// How epoll is asked to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// At each wait while the descriptor is ready.
    Level,
    /// When something happens to the descriptor.
    Edge,
    /// Once, and never again.
    Oneshot,
    /// Once, and once more after each answer (EPOLL_CTL_MOD).
    Rearmed,
}

impl Asked {
    fn flag(self) -> EpollFlags {
        match self {
            Self::Level => EpollFlags::empty(),
            Self::Edge => EpollFlags::EPOLLET,
            Self::Oneshot | Self::Rearmed => EpollFlags::EPOLLONESHOT,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Level => "level",
            Self::Edge => "edge",
            Self::Oneshot => "one-shot",
            Self::Rearmed => "one-shot, re-armed",
        })
    }
}

/// The set, and how its descriptor was asked for.
#[derive(Debug)]
pub(super) struct Watch {
    epoll: Epoll,
    asked: Asked,
    event: EpollEvent,
}

impl Watch {
    /// # Errors
    /// When the kernel has no room for it.
    pub(super) fn new(fd: BorrowedFd<'_>, ready: EpollFlags, asked: Asked) -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let event = EpollEvent::new(ready | asked.flag(), 0);
        epoll.add(fd, event)?;
        Ok(Self { epoll, asked, event })
    }

    /// Whether something comes; waits a little for it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn wait(&self) -> nix::Result<bool> {
        let mut events = [EpollEvent::empty()];
        loop {
            match self.epoll.wait(&mut events, EpollTimeout::from(QUIET)) {
                Err(Errno::EINTR) => {}
                brought => return Ok(brought? > 0),
            }
        }
    }

    /// Asks again, if that is the habit.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn answered(&mut self, fd: BorrowedFd<'_>) -> nix::Result<()> {
        match self.asked {
            Asked::Rearmed => self.epoll.modify(fd, &mut self.event),
            Asked::Level | Asked::Edge | Asked::Oneshot => Ok(()),
        }
    }
}
