//! Relay: what a client sends goes to a backend, and what that sends comes back.

use std::net::TcpStream;
use std::sync::Arc;

use crate::apps::App;
use crate::proxy::lane::{Copying, Splicing};
use crate::proxy::relay;
use crate::proxy::site::ProxySite;
use crate::session::Session;
use crate::worker::Worker;

/// How octets get from one socket to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Carriage {
    /// By read(2) and write(2), through a buffer.
    Copy,
    /// By splice(2), through a pipe: they stay in the kernel.
    Splice,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    /// The backends, and how they are treated.
    pub site: Arc<ProxySite>,
    /// How octets are carried.
    pub by: Carriage,
}

impl App for Relay {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let site = Arc::clone(&self.site);
        match self.by {
            Carriage::Copy => Box::new(relay::Relay::<Copying>::new(site, stream, worker)),
            Carriage::Splice => Box::new(relay::Relay::<Splicing>::new(site, stream, worker)),
        }
    }
}
