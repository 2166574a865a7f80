//! How a relay gets from a client to a backend: it calls one, and the next one if that does not
//! answer.
//!
//! Nothing is read from the client before a backend has answered, so nothing is lost by trying
//! another.
//!
//! However it is left, by a driver, at a deadline, or at the end of a drain: whoever has not been
//! told of an end by then sees a reset, for what he has may not be all.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::link::{Link, Progress};
use super::site::{Kept, ProxySite, Reached, Unreached, client_of};
use super::{Client, Outcome, Tried};
use crate::connection::Flow;
use crate::control::{Span, Ticks};
use crate::session::{End, Ends};
use crate::worker::Worker;

/// A client, and the backend that it is being connected with.
#[derive(Debug)]
pub(super) struct Calling {
    site: Arc<ProxySite>,
    client: Client,
    stream: TcpStream,
    /// `None` when there is no backend to be had, and so nothing to do any more.
    reached: Option<Reached>,
    tried: Tried,
    connected: bool,
    /// Who has been told that nothing more will come.
    finished: Ends<bool>,
    /// Since when it waits for what it waits for now.
    pub(super) since: Ticks,
}

impl Calling {
    /// Calls a backend for the client at the other end of `stream`.
    pub(super) fn new(site: Arc<ProxySite>, stream: TcpStream, worker: &mut Worker<'_>) -> Self {
        let mut calling = Self {
            client: client_of(&stream),
            site,
            stream,
            reached: None,
            tried: Tried::default(),
            connected: false,
            finished: Ends::default(),
            since: worker.control.now(),
        };
        // Both directions are watched at once, so no call may wait.
        if calling.stream.set_nonblocking(true).is_ok() {
            calling.reach(worker);
        }
        calling
    }

    fn reach(&mut self, worker: &mut Worker<'_>) {
        let reached = loop {
            match self.site.reach(&self.client, &mut self.tried, Kept::Unwelcome, worker) {
                Err(Unreached::Failed(_)) => {}
                reached => break reached.ok(),
            }
        };
        self.reached = reached.filter(|reached| reached.link.unblock().is_ok());
        self.since = worker.control.now();
        self.connected = false;
    }

    /// Whether there is nobody to be connected with.
    pub(super) const fn is_over(&self) -> bool {
        self.reached.is_none()
    }

    /// Whether the backend has answered.
    pub(super) const fn is_connected(&self) -> bool {
        self.connected
    }

    /// How long the backend may take to answer.
    pub(super) fn span(&self) -> Span {
        self.site.connect_span()
    }

    /// The socket of that end.
    pub(super) fn socket(&self, end: End) -> BorrowedFd<'_> {
        match (end, &self.reached) {
            (End::Upstream, Some(reached)) => reached.link.as_fd(),
            _ => self.stream.as_fd(),
        }
    }

    /// The connection to the backend.
    pub(super) fn link(&mut self) -> Option<&mut Link> {
        self.reached.as_mut().map(|reached| &mut reached.link)
    }

    /// Looks how far the connection is.
    pub(super) fn check(&mut self, worker: &mut Worker<'_>) -> Flow {
        let Some(reached) = &self.reached else { return Flow::More };
        match reached.link.progress() {
            Ok(Progress::Connecting) => Flow::Dry,
            Ok(Progress::Connected) => {
                reached.lease.settle();
                self.connected = true;
                self.since = worker.control.now();
                Flow::More
            }
            Err(_) => {
                self.next(Outcome::Refused, worker);
                Flow::Dry
            }
        }
    }

    /// The backend is not to be had: the next one.
    pub(super) fn next(&mut self, outcome: Outcome, worker: &mut Worker<'_>) {
        if let Some(Reached { lease, link }) = self.reached.take() {
            lease.report(outcome);
            self.tried.add(lease.backend().id);
            worker.links.retire(link);
        }
        self.reach(worker);
    }

    /// Says what came of it.
    pub(super) fn report(&self, outcome: Outcome) {
        if let Some(reached) = &self.reached {
            reached.lease.report(outcome);
        }
    }

    /// Tells one end that nothing more will come from the other. Who has gone needs no telling.
    pub(super) fn finish(&mut self, end: End) {
        *self.finished.of(end) = true;
        let _ = match (end, &self.reached) {
            (End::Upstream, Some(reached)) => reached.link.finish(),
            _ => self.stream.shutdown(Shutdown::Write),
        };
    }

    /// Gives back what belongs to the worker.
    pub(super) fn leave(&mut self, worker: &mut Worker<'_>) {
        self.reset_who_is_cut();
        if let Some(Reached { link, .. }) = self.reached.take() {
            worker.links.retire(link);
        }
    }

    /// Makes both peers see a reset and not an end (socket(7), SO_LINGER), unless both have been
    /// told of an end: then what is still on its way to them arrives.
    fn reset_who_is_cut(&self) {
        let Ends { client, upstream } = self.finished;
        if client && upstream {
            return;
        }
        for end in End::BOTH {
            // Where that is refused, there is nobody left to see it.
            let _ = SockRef::from(&self.socket(end)).set_linger(Some(Duration::ZERO));
        }
    }

    /// A call on the socket of that end has failed. If it is broken, it is no connection any more.
    /// A backend that has said all it had to say may leave the rest of what the client sends
    /// unread.
    pub(super) fn broken(&self, end: End, error: io::Error) -> io::Result<Flow> {
        let flow = crate::connection::calm(error);
        if flow.is_err() && end == End::Upstream && !self.finished.client {
            self.report(Outcome::Broken);
        }
        flow
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.reset_who_is_cut();
    }
}
