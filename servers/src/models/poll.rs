//! One thread, and poll(2).
//!
//! - The kernel is handed a list, a line for each descriptor with what is wanted of it, and fills
//!   in what it is ready for.
//! - A wait costs two passes over the whole list, one in the kernel and one here, however few of
//!   the descriptors are active.
//! - Nothing but the descriptor limit limits it.
//! - Watch the list: it is kept from one wait to the next, so that only the kernel's cost is there.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Token, Trigger, flags, ready_for};
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{AtOnce, Family, Listeners, Model, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "poll",
    summary: "one thread and poll(2): a list of all descriptors at each wait",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

/// What poll(2) is to wait for.
#[derive(Debug, Default)]
pub struct Poll {
    list: Vec<PollFd<'static>>,
    /// Whose each line of the list is.
    tokens: Vec<Token>,
    /// The line of each descriptor.
    lines: Vec<u32>,
}

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<Poll>::new(site, Source::Listener(&listeners[0]))?.run()
}

impl Poller for Poll {
    const TRIGGER: Trigger = Trigger::Level;
    const CALLS_PER_CONTROL: u64 = 0;

    fn new() -> io::Result<Self> {
        Ok(Self::default())
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd() as usize;
        if number >= self.lines.len() {
            self.lines.resize(number + 1, u32::MAX);
        }
        self.lines[number] = u32::try_from(self.list.len()).map_err(io::Error::other)?;
        // SAFETY: the reactor removes each descriptor before it closes it, so whatever is in the
        // list is open.
        let fd = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
        self.list.push(PollFd::new(fd, flags(interest)));
        self.tokens.push(token);
        Ok(())
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let line = self.lines[fd.as_raw_fd() as usize] as usize;
        self.list[line].set_events(flags(interest));
        self.tokens[line] = token;
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let line = self.lines[fd.as_raw_fd() as usize];
        self.list.swap_remove(line as usize);
        self.tokens.swap_remove(line as usize);
        if let Some(moved) = self.list.get(line as usize) {
            self.lines[moved.as_fd().as_raw_fd() as usize] = line;
        }
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
        let timeout = if block == Block::Yes { PollTimeout::NONE } else { PollTimeout::ZERO };
        let ready = match poll(&mut self.list, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            ready => ready?,
        };
        let lines = self.list.iter().zip(&self.tokens);
        let found = lines.filter_map(|(line, &token)| {
            let flags = line.revents().filter(|flags| !flags.is_empty())?;
            Some(Event { token, ready: ready_for(flags) })
        });
        // The count saves the rest of the pass once all are found.
        events.extend(found.take(usize::try_from(ready).unwrap_or(0)));
        Ok(())
    }
}
