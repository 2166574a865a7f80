//! The readiness loop: wait in one place for many sockets, then do only what does not wait.
//!
//! It is written once. What a model adds is its [`Poller`]; the one thing about a poller that this
//! loop must know is its [`Trigger`], and the places where that matters say so by name:
//!
//! - level: what nobody wants now is taken out, or it would be reported at each wait (`ask`,
//!   `heard_from_idle`);
//! - edge: a socket is asked for once and for all (`to_ask`); and whoever is told must go on until
//!   nothing is left, or remember that something is (`reads_max`, `known`, `accept`);
//! - one-shot: whoever was told must ask again (`ask`, `ask_again`, `ask_for_clients_again`);
//! - all but edge: a client from whom nothing is wanted may leave unnoticed, and is looked at when
//!   the clock ticks (`look_after_the_silent`).
//!
//! Nobody is starved: each turn of a connection has a budget, and so has each round of accepting.

mod gate;
mod links;
#[cfg(test)]
mod tests;
mod turn;

use std::io;
use std::mem::take;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::apps::App;
use crate::connection::Interest;
use crate::control::{Phase, Ticks};
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};
use crate::drive::reset::tell_if_reset;
use crate::drive::slots::Slots;
use crate::keeper::Keeper;
use crate::listener::{Blocking, Inbox, Listener};
use crate::models::Site;
use crate::session::{End, Ends, Wants};
use crate::waker::Waker;
use crate::worker::Worker;

use turn::{Turn, ask, drive, known, with_new_link};

/// The most connections accepted in one round.
const ACCEPTS_MAX: usize = 64;

const LISTENER: Token = Token { slot: u32::MAX, generation: 0 };
const WAKER: Token = Token { slot: u32::MAX - 1, generation: 0 };
const KEEPER: Token = Token { slot: u32::MAX - 2, generation: 0 };

/// Where a reactor's connections come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// It accepts them itself.
    Listener(&'a Listener),
    /// An acceptor puts them into its inbox.
    Inbox(&'a Inbox),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// There was no descriptor for the next client: wait until one is free.
    Paused,
    Closed,
}

/// A readiness loop with everything it needs from the kernel.
///
/// Reactors that share a descriptor table are made before the first of them runs: one that is made
/// later may find that the clients of the others have taken the last descriptor.
pub struct Reactor<'a, P> {
    poller: P,
    source: Source<'a>,
    gate: Gate,
    app: &'a dyn App,
    worker: Worker<'a>,
    waker: Arc<Waker>,
    /// The first reactor of a server does the keeper's work.
    keeper: Option<&'a Keeper>,
    slots: Slots,
    events: Vec<Event>,
    unfinished: Vec<Token>,
    earliest: Ticks,
}

impl<'a, P: Poller> Reactor<'a, P> {
    /// A reactor for the connections that come from `source`.
    ///
    /// # Errors
    /// When there is no descriptor for it, or no room in the kernel.
    pub fn new(site: &Site<'a>, source: Source<'a>) -> io::Result<Self> {
        let waker = match source {
            Source::Listener(_) => site.control.waker()?,
            Source::Inbox(inbox) => inbox.waker(),
        };
        let mut reactor = Self {
            poller: P::new()?,
            source,
            gate: Gate::Paused,
            app: site.app,
            worker: Worker { ceiling: P::CEILING, ..Worker::new(site.control, Blocking::No) },
            waker,
            keeper: site.control.join_reactors().then_some(site.keeper),
            slots: Slots::default(),
            events: Vec::new(),
            unfinished: Vec::new(),
            earliest: Ticks::NEVER,
        };
        reactor.poller.add(reactor.waker.as_fd(), WAKER, Interest::Read)?;
        if let Some(keeper) = reactor.keeper {
            reactor.poller.add(keeper.as_fd(), KEEPER, Interest::Read)?;
        }
        if let Source::Listener(listener) = source {
            reactor.poller.add(listener.socket(), LISTENER, Interest::Read)?;
            reactor.gate = Gate::Open;
        }
        Ok(reactor)
    }

    /// Serves until the server stops.
    ///
    /// # Errors
    /// When the kernel refuses to wait. Then the whole server stops: without this worker, some
    /// clients would wait for ever.
    pub fn run(mut self) -> io::Result<()> {
        let mut result = Ok(());
        while result.is_ok() && self.goes_on() {
            result = self.turn();
        }
        if result.is_err() {
            self.worker.control.enter(Phase::Closing);
        }
        // Who is still there is closed with this.
        self.worker.counters.closed.add(self.slots.len() as u64);
        self.worker.control.leave_reactors();
        result
    }

    fn goes_on(&self) -> bool {
        let expects_more = match self.source {
            Source::Listener(_) => self.gate != Gate::Closed,
            Source::Inbox(inbox) => !inbox.is_closed(),
        };
        let keeps = self.keeper.is_some() && self.worker.control.reactors() > 1;
        let busy = expects_more || self.slots.len() > 0 || keeps;
        self.worker.control.phase() != Phase::Closing && busy
    }

    fn turn(&mut self) -> io::Result<()> {
        let block = if self.unfinished.is_empty() { Block::Yes } else { Block::No };
        let mut events = take(&mut self.events);
        self.worker.counters.waits.count();
        self.worker.counters.wait_calls.add(P::CALLS_PER_WAIT);
        self.poller.wait(&mut events, block)?;
        let unfinished = take(&mut self.unfinished);
        for Event { token, ready } in events.drain(..) {
            self.dispatch(token, ready);
        }
        unfinished.into_iter().for_each(|token| self.resume(token));
        self.events = events;
        Ok(())
    }

    /// Goes on where the last round has left off.
    fn resume(&mut self, token: Token) {
        if let Some((tenant, _)) = self.slots.of(token) {
            tenant.unfinished = false;
        }
        self.dispatch(token, Ready::default());
    }

    fn dispatch(&mut self, token: Token, ready: Ready) {
        match token {
            LISTENER => self.accept(ACCEPTS_MAX),
            WAKER => self.wake_up(),
            KEEPER => self.keep(),
            _ => self.serve(token, ready),
        }
    }

    /// Something can be done for a session, or for one that uses a connection to a backend.
    fn serve(&mut self, token: Token, event: Ready) {
        let Some(tied) = self.slots.tied(token) else {
            return self.turn_of(token, Some((End::Client, event)));
        };
        tied.watch.ready.note(event);
        let session = tied.to;
        if self.link_of(session) == Some(token) {
            self.turn_of(session, Some((End::Upstream, event)));
        } else {
            self.heard_from_idle(token, event);
        }
    }

    /// Gives a session what it wants for as long as it can have it.
    fn turn_of(&mut self, token: Token, event: Option<(End, Ready)>) {
        let link = self.link_of(token);
        let upstream = self.link_ready(link);
        // An event for a tenant that has moved out meanwhile is stale.
        let Some((tenant, _)) = self.slots.of(token) else { return };
        if let Some((End::Client, event)) = event {
            tenant.watch.ready.note(event);
        }
        if tenant.unfinished {
            // It goes on when it is its turn, and not for each event once more.
            return;
        }
        let mut ready = Ends { client: tenant.watch.ready, upstream };
        let session = tenant.session.as_mut();
        let turn = drive::<P>(session, &mut ready, &mut self.worker).unwrap_or(Turn::Over);
        let turn = with_new_link(link, session, &mut ready.upstream, turn);
        tenant.watch.ready = known::<P>(ready.client);
        self.sweep();
        match turn {
            Turn::Waits(wants) => self.settle(token, wants, ready, event),
            Turn::Unfinished => {
                self.settle_link(token, None, ready.upstream);
                if let Some((tenant, _)) = self.slots.of(token) {
                    tenant.unfinished = true;
                    self.unfinished.push(token);
                }
            }
            Turn::Over => self.close(token),
        }
    }

    /// Notes until when the session may wait, and makes sure that the poller waits for the right
    /// thing.
    fn settle(
        &mut self,
        token: Token,
        wants: Wants,
        left: Ends<Ready>,
        event: Option<(End, Ready)>,
    ) {
        if !self.settle_link(token, wants.upstream, left.upstream) {
            return self.close(token);
        }
        let Some((tenant, deadline)) = self.slots.of(token) else { return };
        *deadline = tenant.session.deadline(&self.worker);
        self.earliest = self.earliest.min(*deadline);
        let ended = matches!(event, Some((End::Client, event)) if event.ended);
        if ended && wants.client.is_none() {
            // There may be nobody any more for whom a backend should go on working.
            if tell_if_reset(tenant.session.as_mut(), &mut self.worker).is_err() {
                return self.close(token);
            }
        }
        let socket = tenant.session.socket(End::Client);
        let (wanted, watch) = (wants.client, &mut tenant.watch);
        let asked = ask(&mut self.poller, &self.worker, socket, token, wanted, watch, left.client);
        if asked.is_err() {
            self.close(token);
        }
    }

    fn close(&mut self, token: Token) {
        if let Some(mut tenant) = self.slots.remove(token) {
            tenant.session.leave(&mut self.worker);
            self.sweep();
            if tenant.watch.registered.is_some() {
                self.worker.counters.controls.add(P::CALLS_PER_FORGET);
                self.poller.forget(tenant.session.socket(End::Client));
            }
            drop(tenant);
            self.worker.counters.closed.count();
            if self.gate == Gate::Paused {
                self.open_gate();
            }
        }
    }

    fn keep(&mut self) {
        let Some(keeper) = self.keeper else { return };
        keeper.keep(self.worker.control);
        self.ask_again(keeper.as_fd(), KEEPER);
    }

    /// Watches again what is never taken out.
    fn ask_again(&mut self, fd: BorrowedFd<'_>, token: Token) {
        if P::TRIGGER == Trigger::Oneshot {
            self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
            // It was added at the start, so it can be asked for again.
            let _ = self.poller.modify(fd, token, Interest::Read);
        }
    }

    /// The clock has ticked, an acceptor has brought somebody, or the server is to stop.
    fn wake_up(&mut self) {
        let waker = Arc::clone(&self.waker);
        waker.rest();
        self.ask_again(waker.as_fd(), WAKER);
        if let Source::Inbox(inbox) = self.source {
            inbox.take().into_iter().for_each(|stream| self.admit(stream));
        }
        self.hear_appeal();
        if self.gate == Gate::Paused {
            self.open_gate();
        }
        if self.worker.control.phase() != Phase::Serving {
            self.drain();
        }
        self.expire();
        self.look_after_the_silent();
        self.go_through_links();
    }

    /// Takes on who has come until now and nobody later, and asks all sessions to finish.
    fn drain(&mut self) {
        if self.gate != Gate::Closed
            && let Source::Listener(listener) = self.source
        {
            if self.gate == Gate::Open {
                self.accept(listener.waiting());
                self.pause_gate(listener);
            }
            listener.retire();
        }
        self.gate = Gate::Closed;
        self.slots.tokens().into_iter().for_each(|token| self.ask_to_close(token));
    }

    /// First a session is only looked at: what its client has sent by now is there to be answered.
    fn ask_to_close(&mut self, token: Token) {
        let now = self.worker.control.now();
        let Some((tenant, _)) = self.slots.of(token) else { return };
        let Some(since) = tenant.stopping else {
            tenant.stopping = Some(now);
            return self.turn_of(token, Some((End::Client, Ready::only(Interest::Read))));
        };
        if since.grace_is_over(now) {
            tenant.session.close_soon(&mut self.worker);
            self.turn_of(token, None);
        }
    }

    fn expire(&mut self) {
        let now = self.worker.control.now();
        if now < self.earliest {
            return;
        }
        for token in self.slots.overdue(now) {
            let Some((tenant, deadline)) = self.slots.of(token) else { continue };
            // A session that has had work in every turn since it was noted has got another one.
            *deadline = tenant.session.deadline(&self.worker);
            if *deadline <= now {
                tenant.session.expire(&mut self.worker);
                self.turn_of(token, None);
            }
        }
        self.earliest = self.slots.earliest();
    }
}
