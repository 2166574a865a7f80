//! Echo: what a client sends comes back to it.

use std::net::TcpStream;

use crate::apps::App;
use crate::session::{Served, Serves, Session};
use crate::worker::Worker;

/// The echo server.
#[derive(Debug)]
pub struct Echo;

impl Serves for wire::echo::Echo {}

impl App for Echo {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        Box::new(Served::new(stream, wire::echo::Echo::default(), worker.control.now()))
    }
}
