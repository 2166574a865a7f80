//! Relay: what a client sends goes to a backend, and what that sends comes back.

use std::net::TcpStream;
use std::os::fd::RawFd;
use std::sync::Arc;

use anyhow::Context;
use packet::programs::verdict::SockPairs;

use crate::apps::App;
use crate::proxy::handed::Handed;
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
    /// By a program in the kernel, on sockets that are handed over to it (sockmap).
    Sockmap,
}

/// The most pairs of sockets that are handed over at once.
const PAIRS_MAX: u32 = 32_768;

/// The relay.
#[derive(Debug)]
pub struct Relay {
    /// The backends, and how they are treated.
    site: Arc<ProxySite>,
    by: Way,
}

/// How octets are carried, with what that takes.
#[derive(Debug)]
enum Way {
    Copy,
    Splice,
    Sockmap(Arc<SockPairs>),
}

impl Relay {
    /// A relay to the backends of `site`.
    ///
    /// # Errors
    /// When the kernel does not let us hand sockets over to it.
    pub fn new(site: Arc<ProxySite>, by: Carriage) -> anyhow::Result<Self> {
        let by = match by {
            Carriage::Copy => Way::Copy,
            Carriage::Splice => Way::Splice,
            Carriage::Sockmap => {
                let pairs = SockPairs::new(PAIRS_MAX)
                    .context("no sockmap (it takes CAP_BPF and CAP_NET_ADMIN)")?;
                Way::Sockmap(Arc::new(pairs))
            }
        };
        Ok(Self { site, by })
    }
}

impl App for Relay {
    fn descriptors(&self) -> Vec<RawFd> {
        match &self.by {
            Way::Copy | Way::Splice => Vec::new(),
            Way::Sockmap(pairs) => pairs.descriptors().to_vec(),
        }
    }

    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let site = Arc::clone(&self.site);
        match &self.by {
            Way::Copy => Box::new(relay::Relay::<Copying>::new(site, stream, worker)),
            Way::Splice => Box::new(relay::Relay::<Splicing>::new(site, stream, worker)),
            Way::Sockmap(pairs) => Box::new(Handed::new(site, Arc::clone(pairs), stream, worker)),
        }
    }
}
