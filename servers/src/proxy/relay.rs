//! A relay: octets from a client to a backend and back, both ways at once, whatever they mean.
//!
//! ```text
//!              up                       one Course each way:
//!   client ──────────▶ backend            source sends ─▶ cargo ─▶ other socket
//!          ◀──────────                    source ends  ─▶ cargo out ─▶ its end is passed on
//!             down
//! ```
//!
//! Each direction carries one load at a time: what has been read is written before more is read.
//! That is all the back-pressure there is; a peer that stops reading stops the other one, and a
//! relay never holds more than one load each way. An end (FIN) is passed on when the last load is
//! out, and the other direction goes on; an error is passed on as a reset, so that nobody takes a
//! cut for an end.
//!
//! A relay does not know what the octets mean. Where both directions are empty, a conversation may
//! be over, or a reply may be awaited: so a server that stops leaves a relay alone until both sides
//! have ended, or the time to drain is over and they see a reset.

use std::io;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::Outcome;
use super::calling::Calling;
use super::lane::Lane;
use super::link::Link;
use super::site::ProxySite;
use crate::connection::{Flow, Interest, Wait};
use crate::control::Ticks;
use crate::session::{Calls, End, Session, Wants};
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
    pub(super) calling: Calling,
    up: Course<L>,
    down: Course<L>,
}

impl<L: Lane> Relay<L> {
    /// Relays between the client at the other end of `stream` and a backend.
    #[must_use]
    pub fn new(site: Arc<ProxySite>, stream: TcpStream, worker: &mut Worker<'_>) -> Self {
        let calling = Calling::new(site, stream, worker);
        Self { calling, up: Course::default(), down: Course::default() }
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

    /// Passes the source's end on, once its last load is out.
    fn end_if_out(&mut self, source: End) {
        let course = self.from(source);
        if course.stage != Stage::Ending || !course.lane.is_empty() {
            return;
        }
        course.stage = Stage::Ended;
        self.calling.finish(source.other());
        if self.up.stage == Stage::Ended && self.down.stage == Stage::Ended {
            self.calling.report(Outcome::Answered);
        }
    }
}

impl<L: Lane> Session for Relay<L> {
    fn socket(&self, end: End) -> BorrowedFd<'_> {
        self.calling.socket(end)
    }

    fn wants(&self) -> Wants {
        if self.calling.is_over() {
            return Wants::default();
        }
        if !self.calling.is_connected() {
            return Wants { client: None, upstream: Some(Interest::Write) };
        }
        Wants {
            client: Interest::of(self.up.wants_to_read(), !self.down.lane.is_empty()),
            upstream: Interest::of(self.down.wants_to_read(), !self.up.lane.is_empty()),
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
                return self.calling.broken(end, error);
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
            Err(error) => return self.calling.broken(end, error),
        }
        self.delivered(end, count.unwrap_or(0), worker);
        Ok(Flow::More)
    }

    fn write_outside(&mut self, worker: &mut Worker<'_>) -> io::Result<Flow> {
        Ok(self.calling.check(worker))
    }

    fn read(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        worker.counters.reads.count();
        let mut lane = std::mem::take(&mut self.from(end).lane);
        let count = lane.load(self.calling.socket(end), worker);
        self.from(end).lane = lane;
        let (count, flow) = match count {
            Ok(loaded) => loaded,
            Err(error) => return self.calling.broken(end, error),
        };
        if count == 0 {
            self.from(end).stage = Stage::Ending;
        }
        self.note(end, count, worker);
        Ok(flow)
    }

    fn write(&mut self, end: End, worker: &mut Worker<'_>) -> io::Result<Flow> {
        if !self.calling.is_connected() {
            return Ok(self.calling.check(worker));
        }
        worker.counters.writes.count();
        let mut lane = std::mem::take(&mut self.to(end).lane);
        let count = lane.unload(self.calling.socket(end), worker);
        self.to(end).lane = lane;
        match count {
            Ok(count) => self.delivered(end, count, worker),
            Err(error) => return self.calling.broken(end, error),
        }
        Ok(Flow::More)
    }

    fn calls(&self) -> Calls {
        L::CALLS
    }

    fn is_full_duplex(&self) -> bool {
        true
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.calling.link()
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.up.lane.leave(worker);
        self.down.lane.leave(worker);
        self.calling.leave(worker);
    }

    fn wait(&self) -> Wait {
        match (self.calling.is_connected(), self.up.lane.is_empty() && self.down.lane.is_empty()) {
            (false, _) => Wait::Connect,
            (true, true) => Wait::Idle,
            (true, false) => Wait::Room,
        }
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        let patience = &worker.control.patience;
        self.calling.since.after(match self.wait() {
            Wait::Connect => self.calling.span(),
            Wait::Room => patience.write,
            _ => patience.idle,
        })
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        worker.counters.expired.count();
        if self.calling.is_connected() {
            self.leave(worker);
        } else {
            self.calling.next(Outcome::TimedOut, worker);
        }
    }

    /// There are no messages here that anybody could be between: it goes on until both sides end.
    fn close_soon(&mut self, _worker: &mut Worker<'_>) {}
}

impl<L: Lane> Relay<L> {
    fn note(&mut self, end: End, count: usize, worker: &Worker<'_>) {
        worker.counters.octets_in.add(count as u64);
        self.calling.since = worker.control.now();
        self.end_if_out(end);
    }

    fn delivered(&mut self, end: End, count: usize, worker: &Worker<'_>) {
        worker.counters.octets_out.add(count as u64);
        self.calling.since = worker.control.now();
        self.end_if_out(end.other());
    }
}
