//! Where datagrams come in: what `sink` and `echo` are told, and how they get ready.

use std::io::Write;
use std::net::SocketAddr;

use clap::Args;

use super::Wait;
use super::receiver::{Receiver, Reception};
use super::report::Ending;
use crate::xsk::tap::{Interface, Tap};

/// Where to receive, how, and until when.
#[derive(Clone, Debug, Args)]
pub struct Inlet {
    /// Receive at this address, by a UDP socket; port 0 takes a free one, and the first line of
    /// output tells which
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        required_unless_present = "interface",
        conflicts_with = "interface"
    )]
    pub listen: Option<SocketAddr>,
    /// Or on this interface.
    #[command(flatten)]
    pub interface: Interface,
    /// How to receive.
    #[command(flatten)]
    pub reception: Reception,
    /// When to end.
    #[command(flatten)]
    pub ending: Ending,
}

/// What datagrams come by.
pub(super) enum Source {
    /// A UDP socket.
    Socket(Receiver),
    /// An AF_XDP socket, how to wait for it, and how many frames to take at once.
    Tap(Box<Tap>, (Wait, u16)),
}

impl Inlet {
    /// Opens it, and says so: `ready`, and where, or of what kind it is.
    ///
    /// # Errors
    /// What is in the way, in words.
    pub(super) fn open(&self, out: &mut impl Write) -> anyhow::Result<Source> {
        let how = self.reception;
        let (source, ready) = match self.listen {
            Some(address) => {
                let receiver = Receiver::open(address, how)?;
                let address = receiver.address()?.to_string();
                (Source::Socket(receiver), address)
            }
            None => {
                let tap = self.tap(out)?;
                let kind = tap.kind();
                let how = (how.wait.unwrap_or(Wait::Poll), how.batch);
                (Source::Tap(Box::new(tap), how), kind)
            }
        };
        writeln!(out, "ready {ready}")?;
        out.flush()?;
        Ok(source)
    }

    fn tap(&self, out: &mut impl Write) -> anyhow::Result<Tap> {
        let tap = Tap::open(&self.interface)?;
        if let Some(why) = tap.fallback() {
            writeln!(out, "fallback to {}: {why}", tap.kind())?;
        }
        Ok(tap)
    }
}
