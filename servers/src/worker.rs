//! What one worker has for itself while it serves.

use crate::buffers::Buffers;
use crate::control::Control;
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
}

impl<'a> Worker<'a> {
    /// One more worker of a server.
    #[must_use]
    pub fn new(control: &'a Control) -> Self {
        let buffers = Buffers::new(control.buffer_octets);
        Self { control, counters: control.stats.lease(), buffers }
    }
}
