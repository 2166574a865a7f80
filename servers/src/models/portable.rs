//! One thread, and the `polling` crate: what a portable interface over epoll(7), kqueue(2) and
//! others costs here.
//!
//! - The crate is handed changes of interest only, and brings back those that are ready.
//! - A wait costs more than the one call: the crate sets a timer, asks for it and for its own
//!   notifier again, and reads the notifier, each time.
//! - Nothing but the descriptor limit limits it.
//! - Watch the mode: by default the crate is one-shot. Here it is level-triggered, so that the
//!   difference from `epoll-level` is the crate's and not the trigger's.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use polling::{Events, PollMode, Poller as Crate};

use crate::connection::Interest;
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};
use crate::drive::reactor::{Reactor, Source};
use crate::listener::Listener;
use crate::models::{AtOnce, Family, Listeners, Model, Site, TriggerName, Workers};

pub(super) const MODEL: Model = Model {
    name: "portable",
    summary: "one thread and the polling crate, level-triggered",
    family: Family::Readiness(TriggerName::Level),
    at_once: AtOnce::Unlimited,
    workers: Workers::One,
    listeners: Listeners::One,
    tables: 1,
    serve,
};

/// As many as one wait of the epoll models brings.
const EVENTS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not 0");

/// The crate's poller.
#[derive(Debug)]
pub struct Portable {
    poller: Crate,
    ready: Events,
}

fn serve(site: &Site<'_>, listeners: Vec<Listener>) -> io::Result<()> {
    Reactor::<Portable>::new(site, Source::Listener(&listeners[0]))?.run()
}

impl Poller for Portable {
    const TRIGGER: Trigger = Trigger::Level;
    /// timerfd_settime, epoll_ctl for the timer, epoll_ctl for the notifier, epoll_pwait, and the
    /// read that finds the notifier silent.
    const CALLS_PER_WAIT: u64 = 5;

    fn new() -> io::Result<Self> {
        Ok(Self { poller: Crate::new()?, ready: Events::with_capacity(EVENTS_MAX) })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        // SAFETY: the reactor removes each descriptor before it closes it.
        unsafe {
            self.poller.add_with_mode(fd.as_raw_fd(), event(token, interest), PollMode::Level)
        }
    }

    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.poller.modify_with_mode(fd, event(token, interest), PollMode::Level)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    fn wait(&mut self, events: &mut Vec<Event>, block: Block) -> io::Result<()> {
        self.ready.clear();
        let timeout = (block == Block::No).then_some(Duration::ZERO);
        self.poller.wait(&mut self.ready, timeout)?;
        events.extend(
            self.ready
                .iter()
                .map(|event| Event { token: (event.key as u64).into(), ready: ready_for(&event) }),
        );
        Ok(())
    }
}

fn event(token: Token, interest: Interest) -> polling::Event {
    // A key is as wide as an address: 64 bits on every host that has epoll and this many clients.
    let key = u64::from(token) as usize;
    match interest {
        Interest::Read | Interest::End => polling::Event::readable(key),
        Interest::Write => polling::Event::writable(key),
        Interest::Either => polling::Event::all(key),
    }
}

fn ready_for(event: &polling::Event) -> Ready {
    Ready {
        read: event.readable,
        write: event.writable,
        ended: event.is_interrupt() || event.is_err().unwrap_or(false),
    }
}
