//! Proxy: HTTP requests go to backends, and their answers come back.

use std::net::TcpStream;
use std::sync::Arc;

use wire::http1::Limits;

use crate::apps::App;
use crate::apps::http::say_no_room;
use crate::proxy::forward::Forward;
use crate::proxy::site::ProxySite;
use crate::session::Session;
use crate::worker::Worker;

/// The HTTP proxy.
#[derive(Debug)]
pub struct Proxy {
    /// The backends, and how they are treated.
    pub site: Arc<ProxySite>,
    /// How long messages may be.
    pub limits: Limits,
}

impl App for Proxy {
    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let site = Arc::clone(&self.site);
        Box::new(Forward::new(site, stream, self.limits, worker.control.now()))
    }

    fn turn_away(&self, stream: TcpStream) {
        say_no_room(stream);
    }
}
