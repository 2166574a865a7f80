//! An HTTP proxy's session: a client, and the backends that answer it, one request after the other.
//!
//! ```text
//!   client ── request ──▶ hear ─▶ reach a backend ─▶ forward ──▶ backend
//!          ◀── answer ─── whatever came ◀────────────────────────
//!                           │ refused, broken, silent
//!                           └─▶ another backend, where nothing can have been done twice; else 502, 504
//! ```
//!
//! A request without content makes it half-duplex: it wants one thing of one socket at a time, so that
//! blocking code can drive it as it is. While content is on its way to the backend there are two: more
//! of it from the client, and an answer that comes early.
//!
//! A head that has been heard stays in the client's buffer until the backend has begun to answer: if a
//! connection turns out to be dead, or a backend refuses, it is written again for the next one. What
//! could be done twice by that never is: see [`super::attempt`].

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use wire::Buffer;
use wire::http1::gateway::{Forwarder, Gateway, Heard, Progress, Reuse};
use wire::http1::{Error, Limits, StatusCode};

use super::attempt::Attempt;
use super::link::Link;
use super::options::Affinity;
use super::site::{Kept, ProxySite, Reached, Unreached, client_of};
use super::{Client, Outcome};
use crate::apps::imf_fixdate;
use crate::buffers::Buffers;
use crate::connection::{Flow, Interest, LINGER_OCTETS_MAX, Wait, calm};
use crate::control::Ticks;
use crate::session::{End, Session, Wants};
use crate::worker::Worker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    /// What is in the output is the last.
    Finishing,
    /// The client may still be sending something that nobody will read: see [`crate::connection`].
    Lingering {
        dropped: usize,
    },
    Over,
}

/// Octets on their way: a buffer is there only while something is in it.
#[derive(Debug, Default)]
struct Octets {
    client_in: Option<Buffer>,
    client_out: Option<Buffer>,
    upstream_in: Option<Buffer>,
    upstream_out: Option<Buffer>,
}

impl Octets {
    fn all(&mut self) -> [&mut Option<Buffer>; 4] {
        [&mut self.client_in, &mut self.client_out, &mut self.upstream_in, &mut self.upstream_out]
    }

    fn input(&mut self, end: End) -> &mut Option<Buffer> {
        match end {
            End::Client => &mut self.client_in,
            End::Upstream => &mut self.upstream_in,
        }
    }

    fn output(&mut self, end: End) -> &mut Option<Buffer> {
        match end {
            End::Client => &mut self.client_out,
            End::Upstream => &mut self.upstream_out,
        }
    }
}

/// The buffer of that place, lent now if there is none.
fn lent<'b>(place: &'b mut Option<Buffer>, buffers: &mut Buffers) -> &'b mut Buffer {
    place.get_or_insert_with(|| buffers.lend())
}

fn holds_any(place: &Option<Buffer>) -> bool {
    place.as_ref().is_some_and(|buffer| !buffer.is_empty())
}

/// A client of an HTTP proxy.
#[derive(Debug)]
pub struct Forward {
    site: Arc<ProxySite>,
    client: Client,
    /// The client's address in words.
    client_name: Box<str>,
    stream: TcpStream,
    gateway: Gateway,
    octets: Octets,
    reached: Option<Reached>,
    attempt: Attempt,
    life: Life,
    client_ended: bool,
    wait: Wait,
    since: Ticks,
}

impl Forward {
    /// Serves the client at the other end of `stream`.
    #[must_use]
    pub fn new(site: Arc<ProxySite>, stream: TcpStream, limits: Limits, now: Ticks) -> Self {
        let client = client_of(&stream);
        Self {
            site,
            client,
            client_name: client.address.to_canonical().to_string().into(),
            stream,
            gateway: Gateway::new(limits),
            octets: Octets::default(),
            reached: None,
            attempt: Attempt::default(),
            life: Life::Open,
            client_ended: false,
            wait: Wait::Idle,
            since: now,
        }
    }

    /// Takes everything as far as it goes with what has come and been sent.
    fn pump(&mut self, worker: &mut Worker<'_>) {
        while self.life == Life::Open && self.step(worker) {}
        for place in self.octets.all() {
            if let Some(buffer) = place.take_if(|buffer| buffer.is_empty()) {
                worker.buffers.take_back(buffer);
            }
        }
        self.settle(worker.control.now());
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

    fn hear(&mut self, worker: &mut Worker<'_>) -> bool {
        let input = lent(&mut self.octets.client_in, &mut worker.buffers);
        match self.gateway.hear(input) {
            Ok(Heard::Nothing) => {
                self.life = match self.client_ended {
                    true => Life::Over,
                    false if self.gateway.is_finished() => Life::Finishing,
                    false => Life::Open,
                };
                false
            }
            Ok(Heard::Request) => {
                self.attempt = Attempt::default();
                self.begin(worker);
                true
            }
            Ok(Heard::Here) => {
                self.own(worker, |gateway, by, input, output| {
                    gateway.answer_here(by, input, output)
                });
                true
            }
            Err(error) => {
                self.refuse(error.status(), error.rule(), worker);
                true
            }
        }
    }

    /// Takes a backend for the request that has been heard: that of the client, if it has one.
    fn begin(&mut self, worker: &mut Worker<'_>) {
        if let Some(Reached { lease, link }) = self.reached.take() {
            if link.is_quiet() {
                self.reached = Some(Reached { lease, link });
                return self.forward(worker);
            }
            worker.links.retire(link);
            if let Some(link) = self.site.open_again(&lease, worker) {
                self.reached = Some(Reached { lease, link });
                return self.forward(worker);
            }
        }
        self.reach(Kept::Welcome, worker);
    }

    fn reach(&mut self, kept: Kept, worker: &mut Worker<'_>) {
        match self.site.reach(&self.client, &mut self.attempt.tried, kept, worker) {
            Ok(reached) => {
                self.reached = Some(reached);
                self.forward(worker);
            }
            Err(Unreached::NoRoom) => self.refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "This proxy has no room for a connection to a backend.\n",
                worker,
            ),
            Err(Unreached::Nobody) => {
                let (status, words) = self.attempt.verdict();
                self.refuse(status, words, worker);
            }
        }
    }

    /// Writes the request for the backend.
    fn forward(&mut self, worker: &mut Worker<'_>) {
        self.attempt.begin();
        let Some(reached) = &self.reached else { return };
        let input = lent(&mut self.octets.client_in, &mut worker.buffers);
        let output = lent(&mut self.octets.upstream_out, &mut worker.buffers);
        let date = date_of(worker);
        let by = Forwarder {
            client: self.client_name.as_bytes(),
            host: reached.link.host.as_bytes(),
            date: &date,
        };
        if !self.gateway.forward(input, &by, output) {
            let error = Error::HeadTooLarge;
            self.release(worker);
            self.refuse(error.status(), error.rule(), worker);
        }
    }

    /// Moves a request's content one way and its answer the other.
    fn exchange(&mut self, worker: &mut Worker<'_>) -> bool {
        let Some(reached) = &self.reached else { return false };
        let octets = &mut self.octets;
        if self.gateway.wants_content() && holds_any(&octets.client_in) && !self.attempt.deaf {
            let input = lent(&mut octets.client_in, &mut worker.buffers);
            let output = lent(&mut octets.upstream_out, &mut worker.buffers);
            if let Err(error) = self.gateway.carry(input, output) {
                self.client_broke(error, worker);
                return true;
            }
        }
        if !holds_any(&octets.upstream_in) && !self.attempt.ended {
            return false;
        }
        let input = lent(&mut octets.upstream_in, &mut worker.buffers);
        let output = lent(&mut octets.client_out, &mut worker.buffers);
        let date = date_of(worker);
        let by = Forwarder {
            client: self.client_name.as_bytes(),
            host: reached.link.host.as_bytes(),
            date: &date,
        };
        let mut progress = self.gateway.answer(input, &by, output);
        let drained = input.is_empty() || output.is_empty();
        if progress == Ok(Progress::Waits) && self.attempt.ended && drained {
            progress = self.gateway.answer_ends(output);
        }
        match progress {
            Ok(Progress::Waits) => false,
            Ok(Progress::Done(reuse)) => {
                self.finish(reuse, worker);
                true
            }
            Err(Error::NoReply | Error::CutShort) => self.failed(Outcome::Broken, worker),
            Err(_) => self.failed(Outcome::Garbled, worker),
        }
    }

    /// The answer is whole.
    fn finish(&mut self, reuse: Reuse, worker: &mut Worker<'_>) {
        worker.counters.answered.count();
        let input = lent(&mut self.octets.client_in, &mut worker.buffers);
        self.gateway.next(input);
        let unsent = holds_any(&self.octets.upstream_out);
        let Some(Reached { lease, mut link }) = self.reached.take() else { return };
        lease.report(Outcome::Answered);
        if reuse == Reuse::No || self.attempt.ended || unsent {
            worker.links.retire(link);
            self.forget_upstream(worker);
            return;
        }
        link.used = true;
        match self.site.manners.affinity {
            Affinity::Connection => self.reached = Some(Reached { lease, link }),
            Affinity::Request => self.site.keep(link, worker),
        }
    }

    /// The backend has not answered, or not to the end. Asks another one, or says so to the client.
    fn failed(&mut self, outcome: Outcome, worker: &mut Worker<'_>) -> bool {
        let Some(Reached { lease, link }) = self.reached.take() else { return false };
        let stale = link.used && !self.attempt.heard && outcome == Outcome::Broken;
        if !stale {
            lease.report(outcome);
            self.attempt.tried.add(lease.backend().id);
        }
        worker.links.retire(link);
        drop(lease);
        self.forget_upstream(worker);
        if self.gateway.has_answered() {
            self.cut();
        } else if self.may_try_again(stale, outcome) {
            self.reach(Kept::Unwelcome, worker);
        } else {
            self.attempt.note(outcome);
            let (status, words) = self.attempt.verdict();
            self.refuse(status, words, worker);
        }
        true
    }

    fn may_try_again(&mut self, stale: bool, outcome: Outcome) -> bool {
        let Some(asked) = self.gateway.asked().filter(|_| self.gateway.holds()) else {
            return false;
        };
        self.attempt.may_try_again(asked.repeat(), stale, outcome, &self.site)
    }

    /// A part of an answer is out, and the rest will not come: the client must not take that for all.
    fn cut(&mut self) {
        if self.gateway.ends_by_closing() {
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
            self.life = Life::Over;
        } else {
            self.life = Life::Finishing;
        }
    }

    /// The client's content makes no sense: the backend is not to take it for whole.
    fn client_broke(&mut self, error: Error, worker: &mut Worker<'_>) {
        self.release(worker);
        if self.gateway.has_answered() {
            self.cut();
        } else {
            self.refuse(error.status(), error.rule(), worker);
        }
    }

    /// Gives the backend up in the middle, through no fault of its own.
    fn release(&mut self, worker: &mut Worker<'_>) {
        if let Some(Reached { link, .. }) = self.reached.take() {
            worker.links.retire(link);
        }
        self.forget_upstream(worker);
    }

    fn forget_upstream(&mut self, worker: &mut Worker<'_>) {
        for place in [&mut self.octets.upstream_in, &mut self.octets.upstream_out] {
            if let Some(buffer) = place.take() {
                worker.buffers.take_back(buffer);
            }
        }
    }

    fn refuse(&mut self, status: StatusCode, words: &'static str, worker: &mut Worker<'_>) {
        self.own(worker, |gateway, by, input, output| {
            gateway.refuse(status, words, by, input, output);
        });
    }

    /// Answers without a backend.
    fn own(
        &mut self,
        worker: &mut Worker<'_>,
        answer: impl FnOnce(&mut Gateway, &Forwarder<'_>, &mut Buffer, &mut Buffer),
    ) {
        worker.counters.answered.count();
        let input = lent(&mut self.octets.client_in, &mut worker.buffers);
        let output = lent(&mut self.octets.client_out, &mut worker.buffers);
        let date = date_of(worker);
        let by = Forwarder { client: b"", host: b"", date: &date };
        answer(&mut self.gateway, &by, input, output);
    }

    /// Goes on to the next part of its life, if it is time, and says what it waits for now.
    fn settle(&mut self, now: Ticks) {
        if self.life == Life::Finishing && !holds_any(&self.octets.client_out) {
            self.life = if self.gateway.is_abandoned() && !self.client_ended {
                // If the client has gone meanwhile, the next read says so.
                let _ = self.stream.shutdown(Shutdown::Write);
                Life::Lingering { dropped: 0 }
            } else {
                Life::Over
            };
        }
        let wait = self.waits_for();
        if wait != self.wait || !matches!(wait, Wait::Head | Wait::Linger) {
            self.since = now;
            self.wait = wait;
        }
    }

    fn waits_for(&self) -> Wait {
        let octets = &self.octets;
        if matches!(self.life, Life::Lingering { .. }) {
            Wait::Linger
        } else if holds_any(&octets.client_out) {
            Wait::Room
        } else if self.gateway.listens() {
            if holds_any(&octets.client_in) { Wait::Head } else { Wait::Idle }
        } else if !self.attempt.sent {
            Wait::Connect
        } else if self.gateway.wants_content() && !holds_any(&octets.upstream_out) {
            Wait::Body
        } else {
            Wait::Reply
        }
    }

    fn linger(&mut self) {
        let Life::Lingering { dropped } = &mut self.life else { return };
        if let Some(input) = &mut self.octets.client_in {
            *dropped += input.len();
            input.clear();
        }
        if *dropped > LINGER_OCTETS_MAX || self.client_ended {
            self.life = Life::Over;
        }
    }

    /// What it wants while an exchange is under way.
    fn wants_in_exchange(&self) -> Wants {
        let octets = &self.octets;
        let answering = holds_any(&octets.client_out);
        let sending = holds_any(&octets.upstream_out);
        let content = self.gateway.wants_content() && !self.attempt.deaf;
        let more = content && !sending && !self.client_ended;
        Wants {
            client: interest(more, answering),
            upstream: interest((content || !sending) && !answering, sending),
        }
    }

    fn client_said(&mut self, count: usize, worker: &mut Worker<'_>) {
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

fn interest(read: bool, write: bool) -> Option<Interest> {
    match (read, write) {
        (true, true) => Some(Interest::Either),
        (true, false) => Some(Interest::Read),
        (false, true) => Some(Interest::Write),
        (false, false) => None,
    }
}

fn date_of<'w>(worker: &Worker<'w>) -> impl Fn() -> [u8; 29] + use<'w> {
    let control = worker.control;
    move || imf_fixdate(control.unix_seconds())
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
            Life::Lingering { .. } => client(Interest::Read),
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
            if self.gateway.asked().is_some_and(wire::http1::gateway::Asked::has_content) {
                self.gateway.commit(lent(&mut self.octets.client_in, &mut worker.buffers));
            }
        }
        let flow = if holds_any(self.octets.output(end)) { Flow::Dry } else { Flow::More };
        self.pump(worker);
        Ok(flow)
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
            Wait::Reply => self.site.reply_span(),
        })
    }

    fn expire(&mut self, worker: &mut Worker<'_>) {
        worker.counters.expired.count();
        match self.wait {
            Wait::Idle | Wait::Room | Wait::Linger => self.life = Life::Over,
            Wait::Head | Wait::Body => {
                self.client_broke(Error::TimedOut, worker);
                self.life = Life::Finishing;
            }
            Wait::Connect | Wait::Reply => _ = self.failed(Outcome::TimedOut, worker),
        }
        self.pump(worker);
    }

    fn close_soon(&mut self, worker: &mut Worker<'_>) {
        self.gateway.close_soon();
        self.pump(worker);
    }
}

impl Forward {
    /// A read failed.
    fn unread(&mut self, end: End, error: io::Error, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let result = calm(error);
        if result.is_err() && end == End::Upstream {
            self.failed(Outcome::Broken, worker);
        } else if result.is_err() {
            return result;
        }
        self.pump(worker);
        Ok(result.unwrap_or(Flow::Dry))
    }

    /// A write failed. A backend that closes while it is being sent to may have answered before.
    fn unsent(&mut self, end: End, error: io::Error, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let outcome = super::site::outcome_of(&error);
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
