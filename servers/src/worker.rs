//! What one worker has for itself while it serves.

use std::os::fd::RawFd;

use crate::buffers::Buffers;
use crate::control::Control;
use crate::listener::Blocking;
use crate::pipes::Pipes;
use crate::proxy::link::Links;
use crate::stats::Lease;

/// One worker: the thread that waits, reads and writes for a set of connections, or for one.
#[derive(Debug)]
pub struct Worker<'a> {
    /// What it shares with the others.
    pub control: &'a Control,
    /// What it counts.
    pub counters: Lease<'a>,
    /// The buffers it lends to its connections.
    pub buffers: Buffers,
    /// Whether its calls wait: so must those on sockets that its sessions open.
    pub blocking: Blocking,
    /// Descriptors from this one on are beyond it.
    pub ceiling: Option<RawFd>,
    /// The pipes it lends to its relays.
    pub pipes: Pipes,
    /// The connections to backends that none of its sessions uses now.
    pub links: Links,
}

impl<'a> Worker<'a> {
    /// One more worker of a server.
    #[must_use]
    pub fn new(control: &'a Control, blocking: Blocking) -> Self {
        let buffers = Buffers::new(control.buffer_octets);
        Self {
            control,
            counters: control.stats.lease(),
            buffers,
            blocking,
            ceiling: None,
            pipes: Pipes::default(),
            links: Links::default(),
        }
    }

    /// Frees a descriptor that is only kept for later; says whether there was one.
    pub fn make_room(&mut self) -> bool {
        self.pipes.give_up()
            || match self.blocking {
                Blocking::Yes => self.control.give_up_link(),
                Blocking::No => self.links.make_room(),
            }
    }
}
