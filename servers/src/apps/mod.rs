//! What a server is for.

mod date;
mod echo;
mod files;
mod fixed;
mod http;
mod proxy;
mod relay;

use std::net::TcpStream;
use std::os::fd::RawFd;

use crate::session::Session;
use crate::worker::Worker;

pub(crate) use date::imf_fixdate;
pub use echo::Echo;
pub use files::Root;
pub use fixed::Fixed;
pub use http::Http;
pub(crate) use http::say_at_once;
pub use proxy::Proxy;
pub use relay::{Carriage, Relay};

/// What is done for each client.
pub trait App: Sync {
    /// Begins to serve the client at the other end of `stream`.
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session>;

    /// What it has open for all copies of a server. In the descriptor table of a copy everything
    /// else that was there before is closed.
    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
    }

    /// Ends a connection that the model cannot serve, with an answer if the protocol has one.
    fn turn_away(&self, stream: TcpStream) {
        drop(stream);
    }
}
