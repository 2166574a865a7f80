//! One thread, and select(2).
//!
//! - The kernel is handed two sets of bits, for reading and for writing, and overwrites them with
//!   what is ready; so a copy goes in.
//! - A wait costs two passes over all descriptors up to the highest, one in the kernel and one
//!   here, however few of them are active.
//! - What limits it is FD_SETSIZE, 1,024: not the number of clients but the number of the
//!   descriptor. The limit is that of the C library's type; writing a bit beyond it overwrites
//!   other memory.
//! - Watch [`CEILING`](Poller::CEILING): clients with a descriptor beyond it are turned away and
//!   counted.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::select::{FdSet, select};
use nix::sys::time::TimeVal;

use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{AtOnce, Family, Listeners, Model, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "select",
    summary: "one thread and select(2): two bit sets of all descriptors at each wait",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Descriptors(FD_SETSIZE),
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "it is 1,024")]
const FD_SETSIZE: RawFd = nix::sys::select::FD_SETSIZE as RawFd;

/// Clients beyond that are turned away before they get here. So it is a descriptor of the server's
/// own, which was started with too many open ones.
const NO_BIT: &str = "all descriptors for which an fd_set has a bit, FD_SETSIZE, are taken: start \
                      it with fewer open ones, or take --model select-wide";

/// What select(2) is to wait for.
#[derive(Debug)]
pub struct Select {
    /// Copied for each wait.
    read: FdSet<'static>,
    write: FdSet<'static>,
    /// Whose each descriptor is.
    tokens: Vec<Option<Token>>,
}

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<Select>::new(site, Source::Listener(&listeners[0]))?.run()
}

impl Poller for Select {
    const TRIGGER: Trigger = Trigger::Level;
    const CALLS_PER_CONTROL: u64 = 0;
    const CEILING: Option<RawFd> = Some(FD_SETSIZE);

    fn new() -> io::Result<Self> {
        Ok(Self { read: FdSet::new(), write: FdSet::new(), tokens: Vec::new() })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        if fd.as_raw_fd() >= FD_SETSIZE {
            return Err(io::Error::other(NO_BIT));
        }
        self.modify(fd, token, interest)
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = outlive(fd);
        let number = fd.as_raw_fd() as usize;
        if number >= self.tokens.len() {
            self.tokens.resize(number + 1, None);
        }
        self.tokens[number] = Some(token);
        let wanted = [(&mut self.read, interest.reads()), (&mut self.write, interest.writes())];
        for (set, wanted) in wanted {
            if wanted { set.insert(fd) } else { set.remove(fd) }
        }
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = outlive(fd);
        self.read.remove(fd);
        self.write.remove(fd);
        self.tokens[fd.as_raw_fd() as usize] = None;
        while self.tokens.last() == Some(&None) {
            self.tokens.pop();
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
        let (mut read, mut write) = (self.read, self.write);
        let highest = self.tokens.len() as RawFd;
        let mut at_once = TimeVal::new(0, 0);
        let timeout = (block == Block::No).then_some(&mut at_once);
        match select(highest, &mut read, &mut write, None, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            ready => ready?,
        };
        for (set, interest) in [(&read, Interest::Read), (&write, Interest::Write)] {
            let tokens =
                set.fds(Some(highest - 1)).filter_map(|fd| self.tokens[fd.as_raw_fd() as usize]);
            events.extend(tokens.map(|token| Event { token, ready: Ready::only(interest) }));
        }
        Ok(())
    }
}

/// Lets a set keep a descriptor for longer than this borrow of it.
fn outlive(fd: BorrowedFd<'_>) -> BorrowedFd<'static> {
    // SAFETY: the reactor removes each descriptor before it closes it, so whatever is in a set is
    // open.
    unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) }
}
