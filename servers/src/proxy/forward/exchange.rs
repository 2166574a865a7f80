//! One request after the other: heard from the client, answered by a backend, or by us.

use std::sync::Arc;

use wire::Buffer;
use wire::http1::gateway::{Forwarder, Gateway, Heard, Progress, Reuse};
use wire::http1::{Error, StatusCode};

use super::attempt::{Attempt, Connection};
use super::octets::{holds_any, lent};
use super::parting::Parting;
use super::{Forward, Life};
use crate::apps::imf_fixdate;
use crate::proxy::moment::Moment;
use crate::proxy::options::Affinity;
use crate::proxy::site::{Kept, Reached, Unreached};
use crate::proxy::{Lease, Outcome};
use crate::worker::Worker;

impl Forward {
    pub(super) fn hear(&mut self, worker: &mut Worker<'_>) -> bool {
        let input = lent(&mut self.octets.client_in, &mut worker.buffers);
        match self.gateway.hear(input) {
            Ok(Heard::Nothing) => {
                // Nobody has asked for anything: who closes now owes nothing.
                if self.client_ended || self.gateway.is_finished() {
                    self.life = Life::Over;
                }
                false
            }
            Ok(Heard::Request) => {
                self.attempt = Attempt::default();
                self.route(worker);
                self.reach(Kept::Welcome, worker);
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

    /// Chooses the site for the request that has been heard, and gives it its id.
    fn route(&mut self, worker: &mut Worker<'_>) {
        let (Some(routes), Some(input)) = (&self.routes, &self.octets.client_in) else { return };
        let Some(path) = self.gateway.path(input) else { return };
        let (site, id) = (routes.site(path), routes.id(&self.client, path));
        self.client.id = Some(id);
        if !Arc::ptr_eq(&site, &self.site) {
            self.release(worker);
            self.site = site;
        }
    }

    /// Takes a backend for the request that has been heard: that of the client, if it has one.
    fn reach(&mut self, kept: Kept, worker: &mut Worker<'_>) {
        self.attempt.begin();
        let reached = self.stay(worker).unwrap_or_else(|| {
            self.site.reach(&self.client, &mut self.attempt.tried, kept, worker)
        });
        self.go_on(reached, kept, worker);
    }

    /// The backend that the client has, if it may still be asked; over another connection, if the
    /// one there was is of no use any more.
    fn stay(&mut self, worker: &mut Worker<'_>) -> Option<Result<Reached, Unreached>> {
        let (lease, link) = match self.reached.take() {
            Some(Reached { lease, link }) => (lease, Some(link)),
            None => (self.home.take()?, None),
        };
        match (lease.renew(Moment::now()), link) {
            (Some(lease), Some(link)) if link.is_quiet() => Some(Ok(Reached { lease, link })),
            (lease, link) => {
                link.into_iter().for_each(|link| worker.links.retire(link));
                lease.map(|lease| self.site.connect(lease, &mut self.attempt.tried, worker))
            }
        }
    }

    /// Forwards the request to the backend that has been reached; if none has, asks the next one,
    /// or says so to the client.
    fn go_on(&mut self, reached: Result<Reached, Unreached>, kept: Kept, worker: &mut Worker<'_>) {
        match reached {
            Ok(reached) => {
                self.reached = Some(reached);
                self.forward(worker);
            }
            Err(Unreached::Failed(outcome)) if self.may_try_again(Connection::Fresh, outcome) => {
                self.reach(kept, worker);
            }
            Err(Unreached::Failed(_) | Unreached::Nobody) => self.give_up(worker),
            Err(Unreached::NoRoom) => self.refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "This proxy has no room for a connection to a backend.\n",
                worker,
            ),
        }
    }

    /// Writes the request for the backend.
    fn forward(&mut self, worker: &mut Worker<'_>) {
        self.asked = worker.control.now();
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
    pub(super) fn exchange(&mut self, worker: &mut Worker<'_>) -> bool {
        if self.reached.is_none() {
            return false;
        }
        if let Err(error) = self.carry_content(worker) {
            self.client_broke(error, worker);
            return true;
        }
        match self.carry_answer(worker) {
            Ok(Progress::Waits) => false,
            Ok(Progress::Done(reuse)) => {
                self.finish(reuse, worker);
                true
            }
            Err(Error::NoReply | Error::CutShort) => self.failed(Outcome::Broken, worker),
            Err(_) => self.failed(Outcome::Garbled, worker),
        }
    }

    /// Takes what the client has sent to the backend's output.
    fn carry_content(&mut self, worker: &mut Worker<'_>) -> Result<(), Error> {
        let octets = &mut self.octets;
        if !self.gateway.wants_content() || !holds_any(&octets.client_in) || self.attempt.deaf {
            return Ok(());
        }
        let input = lent(&mut octets.client_in, &mut worker.buffers);
        let output = lent(&mut octets.upstream_out, &mut worker.buffers);
        self.gateway.carry(input, output)
    }

    /// Takes what the backend has sent, or its end, to the client's output.
    fn carry_answer(&mut self, worker: &mut Worker<'_>) -> Result<Progress, Error> {
        let octets = &mut self.octets;
        let Some(reached) = &self.reached else { return Ok(Progress::Waits) };
        if !holds_any(&octets.upstream_in) && !self.attempt.ended {
            return Ok(Progress::Waits);
        }
        let input = lent(&mut octets.upstream_in, &mut worker.buffers);
        let output = lent(&mut octets.client_out, &mut worker.buffers);
        let date = date_of(worker);
        let by = Forwarder {
            client: self.client_name.as_bytes(),
            host: reached.link.host.as_bytes(),
            date: &date,
        };
        let progress = self.gateway.answer(input, &by, output)?;
        let drained = input.is_empty() || output.is_empty();
        if progress == Progress::Waits && self.attempt.ended && drained {
            return self.gateway.answer_ends(output);
        }
        Ok(progress)
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
            self.go_home_to(lease);
            return;
        }
        link.used = true;
        match self.site.manners.affinity {
            Affinity::Connection => self.reached = Some(Reached { lease, link }),
            Affinity::Request => self.site.keep(link, worker),
        }
    }

    /// The connection has gone, and the backend is none the worse for it: a client that stays with
    /// its backend gets another one there.
    fn go_home_to(&mut self, lease: Lease) {
        self.home = (self.site.manners.affinity == Affinity::Connection).then_some(lease);
    }

    /// The backend has not answered, or not to the end. Asks another one, or says so to the client.
    pub(super) fn failed(&mut self, outcome: Outcome, worker: &mut Worker<'_>) -> bool {
        let Some(Reached { lease, link }) = self.reached.take() else { return false };
        let stale = link.used && !self.attempt.heard && outcome == Outcome::Broken;
        let connection = if stale { Connection::Stale } else { Connection::Fresh };
        if connection == Connection::Fresh {
            lease.report(outcome);
            self.attempt.tried.add(lease.backend().id);
        }
        worker.links.retire(link);
        match connection {
            Connection::Fresh => drop(lease),
            Connection::Stale => self.go_home_to(lease),
        }
        self.forget_upstream(worker);
        if self.gateway.has_answered() {
            self.cut();
        } else if self.may_try_again(connection, outcome) {
            self.reach(Kept::Unwelcome, worker);
        } else {
            self.give_up(worker);
        }
        true
    }

    /// Tells the client that nobody has answered.
    fn give_up(&mut self, worker: &mut Worker<'_>) {
        let answer = (self.site.manners.unanswered)(self.attempt.last);
        self.own(worker, |gateway, by, input, output| {
            gateway.answer_by_self(answer, by, input, output);
        });
    }

    fn may_try_again(&mut self, connection: Connection, outcome: Outcome) -> bool {
        self.attempt.note(outcome);
        let Some(asked) = self.gateway.asked().filter(|_| self.gateway.holds()) else {
            return false;
        };
        self.attempt.may_try_again(asked.repeat(), connection, outcome, &self.site)
    }

    /// A part of an answer is out, and the rest will not come: the client must not take that for
    /// all.
    fn cut(&mut self) {
        if self.gateway.ends_by_closing() {
            self.parting.set(Parting::Reset, &self.stream);
            self.life = Life::Over;
        } else {
            self.life = Life::Finishing;
        }
    }

    /// The client's content makes no sense: the backend is not to take it for whole.
    pub(super) fn client_broke(&mut self, error: Error, worker: &mut Worker<'_>) {
        self.release(worker);
        if self.gateway.has_answered() {
            self.cut();
        } else {
            self.refuse(error.status(), error.rule(), worker);
        }
    }

    /// Gives the backend up in the middle, through no fault of its own.
    pub(super) fn release(&mut self, worker: &mut Worker<'_>) {
        if let Some(Reached { link, .. }) = self.reached.take() {
            worker.links.retire(link);
        }
        self.home = None;
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
        let answer = (self.site.manners.refused)(status, words);
        self.own(worker, |gateway, by, input, output| {
            gateway.answer_by_self(answer, by, input, output);
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
}

fn date_of<'w>(worker: &Worker<'w>) -> impl Fn() -> [u8; 29] + use<'w> {
    let control = worker.control;
    move || imf_fixdate(control.unix_seconds())
}
