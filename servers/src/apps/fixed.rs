//! A fixed reply: the server behind a relay whose right answers are easy to count.

use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::apps::App;
use crate::session::{Served, Serves, Session};
use crate::worker::Worker;

/// The server of a fixed reply.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// What each message is answered with.
    pub reply: Arc<[u8]>,
    /// How many octets a message has.
    pub message: NonZeroUsize,
}

impl Serves for wire::fixed::Fixed {}

impl App for Fixed {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let fixed = wire::fixed::Fixed::new(self.message, Arc::clone(&self.reply));
        Box::new(Served::new(stream, fixed, worker.control.now()))
    }
}
