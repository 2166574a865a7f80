//! A relay: octets from a client to a backend and back, both ways at once, whatever they mean.
//!
//! ```text
//!              up                       one Course each way:
//!   client ──────────▶ backend            source sends ─▶ cargo ─▶ other socket
//!          ◀──────────                    source ends  ─▶ cargo out ─▶ its end is passed on
//!             down
//! ```
//!
//! Each direction carries one load at a time: what has been read is written before more is read. That
//! is all the back-pressure there is; a peer that stops reading stops the other one, and a relay never
//! holds more than one load each way. An end (FIN) is passed on when the last load is out, and the other
//! direction goes on; an error is passed on as a reset, so that nobody takes a cut for an end.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::lane::Lane;
use super::link::{Link, Progress};
use super::site::{Kept, ProxySite, Reached, client_of};
use super::{Client, Lease, Outcome, Tried};
use crate::connection::{Flow, Interest, Wait, calm};
use crate::control::Ticks;
use crate::session::{End, Session, Wants};
use crate::worker::Worker;

/// How far one direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// More may come.
    #[default]
    Flowing,
    /// The source has ended; the last load is on its way.
    Ending,
    /// The end has been passed on.
    Ended,
}

/// One direction.
#[derive(Debug, Default)]
struct Course<L> {
    lane: L,
    stage: Stage,
}

impl<L: Lane> Course<L> {
    fn wants_to_read(&self) -> bool {
        self.stage == Stage::Flowing && self.lane.is_empty()
    }
}

/// A client and a backend that talk through us.
#[derive(Debug)]
pub struct Relay<L> {
    site: Arc<ProxySite>,
    client: Client,
    stream: TcpStream,
    /// `None` when there is no backend to be had, and so nothing to do any more.
    reached: Option<Reached>,
    tried: Tried,
    connected: bool,
    up: Course<L>,
    down: Course<L>,
    since: Ticks,
}

impl<L: Lane> Relay<L> {
    /// Relays between the client at the other end of `stream` and a backend.
    #[must_use]
    pub fn new(site: Arc<ProxySite>, stream: TcpStream, worker: &mut Worker<'_>) -> Self {
        let mut relay = Self {
            client: client_of(&stream),
            site,
            stream,
            reached: None,
            tried: Tried::default(),
            connected: false,
            up: Course::default(),
            down: Course::default(),
            since: worker.control.now(),
        };
        // Both directions are watched at once, so no call may wait.
        if relay.stream.set_nonblocking(true).is_ok() {
            relay.reach(worker);
        }
        relay
    }

    /// Takes the next backend. Nothing has been read from the client before one is connected, so
    /// nothing is lost by trying another one.
    fn reach(&mut self, worker: &mut Worker<'_>) {
        let reached = self.site.reach(&self.client, &mut self.tried, Kept::Unwelcome, worker);
        let unblocked = reached.ok().filter(|reached| reached.link.unblock().is_ok());
        self.since = worker.control.now();
        self.connected = false;
        self.reached = unblocked;
        if self.reached.is_none() {
            self.abort(End::Client);
        }
    }

    fn lease(&self) -> Option<&Lease> {
        self.reached.as_ref().map(|reached| &reached.lease)
    }

    /// The direction that an end is the source of.
    fn from(&mut self, end: End) -> &mut Course<L> {
        match end {
            End::Client => &mut self.up,
            End::Upstream => &mut self.down,
        }
    }

    /// The direction that ends there.
    fn to(&mut self, end: End) -> &mut Course<L> {
        match end {
            End::Client => &mut self.down,
            End::Upstream => &mut self.up,
        }
    }

    fn descriptor(&self, end: End) -> BorrowedFd<'_> {
        match (end, &self.reached) {
            (End::Upstream, Some(reached)) => reached.link.as_fd(),
            _ => self.stream.as_fd(),
        }
    }

    /// Passes the source's end on, once its last load is out.
    fn end_if_out(&mut self, source: End) {
        let course = self.from(source);
        if course.stage != Stage::Ending || !course.lane.is_empty() {
            return;
        }
        course.stage = Stage::Ended;
        // Who has gone meanwhile needs no end.
        let _ = match (source, &self.reached) {
            (End::Client, Some(reached)) => reached.link.finish(),
            _ => self.stream.shutdown(Shutdown::Write),
        };
        if self.up.stage == Stage::Ended && self.down.stage == Stage::Ended {
            self.lease().inspect(|lease| lease.report(Outcome::Answered));
        }
    }

    /// Makes the socket's peer see a reset and not an end (socket(7), SO_LINGER).
    fn abort(&self, end: End) {
        // Where that is refused, there is nobody left to see it.
        let _ = SockRef::from(&self.descriptor(end)).set_linger(Some(Duration::ZERO));
    }

    /// The connection to the backend is not to be had, or is there.
    fn check_connection(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let Some(reached) = &self.reached else { return Ok(Flow::More) };
        match reached.link.progress() {
            Ok(Progress::Connecting) => Ok(Flow::Dry),
            Ok(Progress::Connected) => {
                self.connected = true;
                self.since = worker.control.now();
                Ok(Flow::More)
            }
            Err(_) => {
                self.give_up_on_backend(Outcome::Refused, worker);
                Ok(Flow::Dry)
            }
        }
    }

    fn give_up_on_backend(&mut self, outcome: Outcome, worker: &mut Worker<'_>) {
        if let Some(Reached { lease, link }) = self.reached.take() {
            lease.report(outcome);
            self.tried.add(lease.backend().id);
            worker.links.retire(link);
        }
        self.reach(worker);
    }

    /// One side is broken: the other one is to know that something was cut.
    fn broken(&self, end: End, error: io::Error) -> io::Result<Flow> {
        let flow = calm(error);
        if flow.is_err() {
            if end == End::Upstream {
                self.lease().inspect(|lease| lease.report(Outcome::Broken));
            }
            End::BOTH.into_iter().for_each(|end| self.abort(end));
        }
        flow
    }
}

impl<L: Lane> Session for Relay<L> {
    fn socket(&self, end: End) -> BorrowedFd<'_> {
        self.descriptor(end)
    }

    fn wants(&self) -> Wants {
        if self.reached.is_none() {
            return Wants::default();
        }
        if !self.connected {
            return Wants { client: None, upstream: Some(Interest::Write) };
        }
        Wants {
            client: interest(self.up.wants_to_read(), !self.down.lane.is_empty()),
            upstream: interest(self.down.wants_to_read(), !self.up.lane.is_empty()),
        }
    }

    fn spare<'s>(&'s mut self, end: End, worker: &mut Worker<'_>) -> &'s mut [u8] {
        self.from(end).lane.spare(worker)
    }

    fn received(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        match count {
            Ok(0) => {
                self.from(end).lane.leave(worker);
                self.from(end).stage = Stage::Ending;
            }
            Ok(count) => self.from(end).lane.loaded(count),
            Err(error) => {
                self.from(end).lane.leave(worker);
                return self.broken(end, error);
            }
        }
        self.note(end, count.unwrap_or(0), worker);
        Ok(Flow::More)
    }

    fn output(&self, end: End) -> &[u8] {
        match end {
            End::Client => self.down.lane.cargo(),
            End::Upstream => self.up.lane.cargo(),
        }
    }

    fn sent(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        match count {
            Ok(count) => self.to(end).lane.unloaded(count, worker),
            Err(error) => return self.broken(end, error),
        }
        self.delivered(end, count.unwrap_or(0), worker);
        Ok(Flow::More)
    }

    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        self.check_connection(worker)
    }

    fn read(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        worker.counters.reads.count();
        let mut lane = std::mem::take(&mut self.from(end).lane);
        let count = lane.load(self.descriptor(end), worker);
        self.from(end).lane = lane;
        let (count, flow) = match count {
            Ok(loaded) => loaded,
            Err(error) => return self.broken(end, error),
        };
        if count == 0 {
            self.from(end).stage = Stage::Ending;
        }
        self.note(end, count, worker);
        Ok(flow)
    }

    fn write(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        if !self.connected {
            return self.check_connection(worker);
        }
        worker.counters.writes.count();
        let mut lane = std::mem::take(&mut self.to(end).lane);
        let count = lane.unload(self.descriptor(end), worker);
        self.to(end).lane = lane;
        match count {
            Ok(count) => self.delivered(end, count, worker),
            Err(error) => return self.broken(end, error),
        }
        Ok(Flow::More)
    }

    fn is_full_duplex(&self) -> bool {
        true
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.reached.as_mut().map(|reached| &mut reached.link)
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.up.lane.leave(worker);
        self.down.lane.leave(worker);
        if let Some(Reached { link, .. }) = self.reached.take() {
            worker.links.retire(link);
        }
    }

    fn wait(&self) -> Wait {
        match (self.connected, self.up.lane.is_empty() && self.down.lane.is_empty()) {
            (false, _) => Wait::Connect,
            (true, true) => Wait::Idle,
            (true, false) => Wait::Room,
        }
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        let patience = &worker.control.patience;
        self.since.after(match self.wait() {
            Wait::Connect => self.site.connect_span(),
            Wait::Room => patience.write,
            _ => patience.idle,
        })
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        worker.counters.expired.count();
        if self.connected {
            End::BOTH.into_iter().for_each(|end| self.abort(end));
            self.leave(worker);
        } else {
            self.give_up_on_backend(Outcome::TimedOut, worker);
        }
    }

    /// There are no messages here that anybody could be between: what can be said is that the client
    /// has nothing on its way.
    fn close_soon(&mut self, worker: &mut Worker<'_>) {
        if self.wait() == Wait::Idle {
            self.leave(worker);
        }
    }
}

impl<L: Lane> Relay<L> {
    fn note(&mut self, end: End, count: usize, worker: &Worker<'_>) {
        worker.counters.octets_in.add(count as u64);
        self.since = worker.control.now();
        self.end_if_out(end);
    }

    fn delivered(&mut self, end: End, count: usize, worker: &Worker<'_>) {
        worker.counters.octets_out.add(count as u64);
        self.since = worker.control.now();
        self.end_if_out(match end {
            End::Client => End::Upstream,
            End::Upstream => End::Client,
        });
    }
}

fn interest(read: bool, write: bool) -> Option<Interest> {
    match (read, write) {
        (true, true) => Some(Interest::Either),
        (true, false) => Some(Interest::Read),
        (false, true) => Some(Interest::Write),
        (false, false) => None,
    }
}
