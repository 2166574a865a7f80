//! An HTTP proxy's session: a client, and the backends that answer it, one request after the other.
//!
//! ```text
//!   client ── request ──▶ hear ─▶ reach a backend ─▶ forward ──▶ backend
//!          ◀── answer ─── whatever came ◀────────────────────────
//!                           │ refused, broken, silent
//!                           └─▶ another backend, where nothing is done twice by that;
//!                               else 502, 504
//! ```
//!
//! A request without content makes it half-duplex: it wants one thing of one socket at a time, so
//! that blocking code can drive it as it is. While content is on its way to the backend there are
//! two: more of it from the client, and an answer that comes early.
//!
//! A head that has been heard stays in the client's buffer until the backend has begun to answer:
//! if a connection turns out to be dead, or a backend refuses, it is written again for the next
//! one. What could be done twice by that never is: see `attempt`.

pub(super) mod attempt;
mod exchange;
mod octets;
mod parting;
#[cfg(test)]
mod tests;
mod turn;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use wire::Buffer;
use wire::http1::gateway::{Asked, Gateway};
use wire::http1::{Error, Limits};

use self::attempt::Attempt;
use self::octets::{Octets, holds_any, lent};
use self::parting::Parting;
use super::link::Link;
use super::site::{ProxySite, Reached, Routes, client_of, outcome_of};
use super::{Client, Lease, Outcome};
use crate::connection::{Flow, Interest, Wait, calm};
use crate::control::{Phase, Ticks};
use crate::session::{End, Session, Wants};
use crate::worker::Worker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    /// What is in the output is the last.
    Finishing,
    /// All of that is out. The client may still be sending something that nobody will read.
    Lingering,
    Over,
}

/// A client of an HTTP proxy.
#[derive(Debug)]
pub struct Forward {
    /// Where there is more than one site.
    routes: Option<Arc<dyn Routes>>,
    /// Where the request under way goes.
    site: Arc<ProxySite>,
    client: Client,
    /// The client's address in words; empty where it is not known.
    client_name: Box<str>,
    stream: TcpStream,
    gateway: Gateway,
    octets: Octets,
    reached: Option<Reached>,
    /// The backend that the client stays with, while there is no connection to it.
    home: Option<Lease>,
    attempt: Attempt,
    life: Life,
    parting: Parting,
    client_ended: bool,
    wait: Wait,
    since: Ticks,
    /// When the backend was last sent something.
    asked: Ticks,
}

impl Forward {
    /// Serves the client at the other end of `stream`.
    #[must_use]
    pub fn new(site: Arc<ProxySite>, stream: TcpStream, limits: Limits, now: Ticks) -> Self {
        let client = client_of(&stream);
        Self {
            routes: None,
            site,
            client,
            client_name: name_of(client),
            stream,
            gateway: Gateway::new(limits),
            octets: Octets::default(),
            reached: None,
            home: None,
            attempt: Attempt::default(),
            life: Life::Open,
            parting: Parting::default(),
            client_ended: false,
            wait: Wait::Idle,
            since: now,
            asked: now,
        }
    }

    /// The same, each request going where `routes` say.
    #[must_use]
    pub fn along(routes: Arc<dyn Routes>, stream: TcpStream, limits: Limits, now: Ticks) -> Self {
        let site = routes.site("/");
        Self { routes: Some(routes), ..Self::new(site, stream, limits, now) }
    }

    /// Takes everything as far as it goes with what has come and been sent.
    fn pump(&mut self, worker: &mut Worker<'_>) {
        while self.life == Life::Open && self.step(worker) {}
        if self.life != Life::Open {
            // It needs no backend any more, however long its client takes.
            self.release(worker);
        }
        self.settle(worker.control.now());
        self.octets.give_back(&mut worker.buffers);
    }

    /// Does the next thing; says whether another one may follow at once.
    fn step(&mut self, worker: &mut Worker<'_>) -> bool {
        if self.gateway.is_finished() {
            self.life = Life::Finishing;
            false
        } else if !self.gateway.listens() {
            self.exchange(worker)
        } else if holds_any(&self.octets.client_out) {
            // The next request is heard when the last one's answer is out.
            false
        } else {
            self.hear(worker)
        }
    }

    /// Goes on to the next part of its life, if it is time, and says what it waits for now.
    fn settle(&mut self, now: Ticks) {
        if self.life == Life::Finishing && !holds_any(&self.octets.client_out) {
            self.part();
        } else if self.may_be_cut() && self.gateway.ends_by_closing() {
            self.parting.set(Parting::Reset, &self.stream);
        }
        let wait = self.waits_for();
        if wait != self.wait || !matches!(wait, Wait::Head | Wait::Linger) {
            self.since = now;
            self.wait = wait;
        }
    }

    /// Whether something of an answer may still be on its way here.
    const fn may_be_cut(&self) -> bool {
        matches!(self.life, Life::Open | Life::Finishing)
    }

    /// Tells the client that nothing more will come, and lingers until it has closed as well. If
    /// the connection were closed at once, whatever the client sends next would be answered by a
    /// reset, and that takes away what it has not read yet (RFC 9112, 9.6).
    fn part(&mut self) {
        self.parting.set(Parting::End, &self.stream);
        if !self.client_ended {
            // If the client has gone meanwhile, the next read says so.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        self.life = Life::Lingering;
        self.linger();
    }

    /// Drops what has come and nobody will read, if it is lingering. However much that is, it goes
    /// on for as long as [`Wait::Linger`] may take, and no longer.
    fn linger(&mut self) {
        if self.life != Life::Lingering {
            return;
        }
        if let Some(input) = &mut self.octets.client_in {
            input.clear();
        }
        if self.client_ended {
            self.life = Life::Over;
        }
    }

    fn client_said(&mut self, count: usize, worker: &mut Worker<'_>) {
        if worker.control.phase() != Phase::Serving {
            // Whatever it is, it is the last: so its answer says (RFC 9112, section 9.6).
            self.gateway.close_soon();
        }
        self.client_ended |= count == 0;
        self.linger();
        if self.client_ended && self.gateway.wants_content() {
            // The rest of the request will not come.
            self.release(worker);
            self.life = Life::Over;
        }
    }

    fn backend_said(&mut self, count: usize) {
        self.attempt.ended |= count == 0;
        self.attempt.heard |= count > 0;
    }
}

impl Session for Forward {
    fn socket(&self, end: End) -> BorrowedFd<'_> {
        match (end, &self.reached) {
            (End::Upstream, Some(reached)) => reached.link.as_fd(),
            _ => self.stream.as_fd(),
        }
    }

    fn wants(&self) -> Wants {
        let client = |interest| Wants { client: Some(interest), upstream: None };
        match self.life {
            Life::Over => Wants::default(),
            Life::Finishing => client(Interest::Write),
            Life::Lingering => client(Interest::Read),
            Life::Open if !self.gateway.listens() => self.wants_in_exchange(),
            Life::Open if holds_any(&self.octets.client_out) => client(Interest::Write),
            Life::Open => client(Interest::Read),
        }
    }

    fn spare<'s>(&'s mut self, end: End, worker: &mut Worker<'_>) -> &'s mut [u8] {
        lent(self.octets.input(end), &mut worker.buffers).spare()
    }

    fn received(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        let count = match count {
            Ok(count) => count,
            Err(error) => return self.unread(end, error, worker),
        };
        let input = lent(self.octets.input(end), &mut worker.buffers);
        let room = input.spare().len();
        input.commit(count);
        worker.counters.octets_in.add(count as u64);
        match end {
            End::Client => self.client_said(count, worker),
            End::Upstream => self.backend_said(count),
        }
        self.pump(worker);
        Ok(if count == room { Flow::More } else { Flow::Dry })
    }

    fn output(&self, end: End) -> &[u8] {
        let place = match end {
            End::Client => &self.octets.client_out,
            End::Upstream => &self.octets.upstream_out,
        };
        place.as_ref().map_or(&[], Buffer::filled)
    }

    fn sent(
        &mut self,
        end: End,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        let count = match count {
            Ok(count) => count,
            Err(error) => return self.unsent(end, error, worker),
        };
        if let Some(output) = self.octets.output(end) {
            output.consume(count);
        }
        worker.counters.octets_out.add(count as u64);
        if end == End::Upstream {
            self.attempt.sent = true;
            self.asked = worker.control.now();
            if self.gateway.asked().is_some_and(Asked::has_content) {
                self.gateway.commit(lent(&mut self.octets.client_in, &mut worker.buffers));
            }
        }
        let flow = if holds_any(self.octets.output(end)) { Flow::Dry } else { Flow::More };
        self.pump(worker);
        Ok(flow)
    }

    /// While nothing but a reset may end it, no call may wait: only an end would end such a call.
    fn is_full_duplex(&self) -> bool {
        self.parting == Parting::Reset
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.reached.as_mut().map(|reached| &mut reached.link)
    }

    fn leave(&mut self, worker: &mut Worker<'_>) {
        self.release(worker);
    }

    fn wait(&self) -> Wait {
        self.wait
    }

    fn deadline(&self, worker: &Worker<'_>) -> Ticks {
        let patience = &worker.control.patience;
        self.since.after(match self.wait {
            Wait::Idle => patience.idle,
            Wait::Head => patience.head,
            Wait::Body => patience.body,
            Wait::Room => patience.write,
            Wait::Linger => patience.linger,
            Wait::Connect => self.site.connect_span(),
            // What comes before an answer, a piece of its head or an interim one, buys no time.
            Wait::Reply if !self.gateway.has_answered() => {
                return self.asked.after(self.site.reply_span());
            }
            Wait::Reply => self.site.reply_span(),
        })
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        worker.counters.expired.count();
        match self.wait {
            Wait::Idle | Wait::Room | Wait::Linger => self.life = Life::Over,
            Wait::Head | Wait::Body => self.client_broke(Error::TimedOut, worker),
            Wait::Connect | Wait::Reply => _ = self.failed(Outcome::TimedOut, worker),
        }
        self.pump(worker);
    }

    fn close_soon(&mut self, worker: &mut Worker<'_>) {
        let (wait, since) = (self.wait, self.since);
        self.gateway.close_soon();
        self.pump(worker);
        // Nobody gets more time by that for what is waited for.
        if self.wait == wait {
            self.since = since;
        }
    }
}

/// The client's address in words; none for one that had gone before it was asked.
fn name_of(client: Client) -> Box<str> {
    match client.address {
        address if address.is_unspecified() => Box::default(),
        address => address.to_canonical().to_string().into(),
    }
}

impl Forward {
    /// A read failed, or found nothing.
    fn unread(&mut self, end: End, error: io::Error, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let result = calm(error);
        match (&result, end) {
            (Ok(_), _) | (Err(_), End::Client) => {
                self.octets.give_back(&mut worker.buffers);
                result
            }
            (Err(_), End::Upstream) => {
                self.failed(Outcome::Broken, worker);
                self.pump(worker);
                Ok(Flow::Dry)
            }
        }
    }

    /// A write failed. A backend that closes while it is being sent to may have answered before.
    fn unsent(&mut self, end: End, error: io::Error, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let outcome = outcome_of(&error);
        let result = calm(error);
        match (&result, end) {
            (Ok(_), _) | (Err(_), End::Client) => return result,
            (Err(_), End::Upstream) if self.attempt.sent => {
                self.attempt.deaf = true;
                if let Some(buffer) = self.octets.upstream_out.take() {
                    worker.buffers.take_back(buffer);
                }
            }
            (Err(_), End::Upstream) => _ = self.failed(outcome, worker),
        }
        self.pump(worker);
        Ok(Flow::Dry)
    }
}
