//! The readiness loop: wait in one place for many sockets, then do only what does not wait.
//!
//! It is written once. What a model adds is its [`Poller`]; the one thing about a poller that this
//! loop must know is its [`Trigger`], and the places where that matters say so by name:
//! `settle` (who must be asked for again) and `reads_max` (who must read to the end).
//!
//! Nobody is starved: each turn of a connection has a budget, and so has each round of accepting.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use crate::apps::App;
use crate::connection::{Flow, Interest};
use crate::control::{Phase, Ticks};
use crate::drive::poller::{Block, Event, Poller, Ready, Token, Trigger};
use crate::drive::slots::{Slots, Tenant};
use crate::keeper::Keeper;
use crate::listener::{Blocking, Inbox, Listener, Refusal};
use crate::models::Site;
use crate::session::Session;
use crate::waker::Waker;
use crate::worker::Worker;

/// The most connections accepted in one round.
const ACCEPTS_MAX: usize = 64;
/// The most writes for one connection in one turn: 16 full buffers are 256 KiB.
const WRITES_MAX: u32 = 16;
/// The most reads for one connection in one turn of an edge-triggered reactor.
const EDGE_READS_MAX: u32 = 16;

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

enum Turn {
    /// Nothing more can be done for it now; it waits for this.
    Waits(Interest),
    /// Its budget is spent.
    Unfinished,
    Over,
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
            worker: Worker::new(site.control),
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
        reactor.open_gate();
        Ok(reactor)
    }

    /// Serves until the server stops.
    ///
    /// # Errors
    /// When the kernel refuses to wait. Then the whole server stops: without this worker, some clients
    /// would wait for ever.
    pub fn run(mut self) -> io::Result<()> {
        let mut result = Ok(());
        while result.is_ok() && self.goes_on() {
            result = self.turn();
        }
        if result.is_err() {
            self.worker.control.enter(Phase::Closing);
        }
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
        let mut events = std::mem::take(&mut self.events);
        self.worker.counters.waits.count();
        self.worker.counters.wait_calls.add(P::CALLS_PER_WAIT);
        self.poller.wait(&mut events, block)?;
        let unfinished = std::mem::take(&mut self.unfinished);
        for Event { token, ready } in events.drain(..) {
            self.dispatch(token, ready);
        }
        for token in unfinished {
            self.dispatch(token, Ready::only(Interest::Read));
        }
        self.events = events;
        Ok(())
    }

    fn dispatch(&mut self, token: Token, ready: Ready) {
        match token {
            LISTENER => self.accept(),
            WAKER => self.wake_up(),
            KEEPER => self.keep(),
            _ => self.serve(token, ready),
        }
    }

    /// Gives a session what it wants for as long as it can have it.
    fn serve(&mut self, token: Token, ready: Ready) {
        // An event for a tenant that has moved out meanwhile is stale.
        let Some((tenant, _)) = self.slots.of(token) else { return };
        let turn = drive::<P>(tenant.session.as_mut(), ready, &mut self.worker);
        match turn.unwrap_or(Turn::Over) {
            Turn::Waits(interest) => self.settle(token, interest),
            Turn::Unfinished => self.unfinished.push(token),
            Turn::Over => self.close(token),
        }
    }

    /// Notes until when the session may wait, and makes sure that the poller waits for the right thing.
    fn settle(&mut self, token: Token, interest: Interest) {
        let Some((tenant, deadline)) = self.slots.of(token) else { return };
        *deadline = tenant.session.deadline(&self.worker);
        self.earliest = self.earliest.min(*deadline);
        let ask = match P::TRIGGER {
            Trigger::Level => tenant.registered != interest,
            Trigger::Oneshot => true,
            // It was asked for both directions, once and for all.
            Trigger::Edge => false,
        };
        if ask {
            tenant.registered = interest;
            self.worker.counters.controls.count();
            if self.poller.modify(tenant.session.socket(), token, interest).is_err() {
                self.close(token);
            }
        }
    }

    fn close(&mut self, token: Token) {
        if let Some(tenant) = self.slots.remove(token) {
            self.poller.forget(tenant.session.socket());
            drop(tenant);
            self.worker.counters.closed.count();
            if self.gate == Gate::Paused {
                self.open_gate();
            }
        }
    }

    fn accept(&mut self) {
        let Source::Listener(listener) = self.source else { return };
        for _ in 0..ACCEPTS_MAX {
            self.worker.counters.accepts.count();
            match listener.accept(Blocking::No) {
                Ok(stream) => self.admit(stream),
                Err(Refusal::Nobody) => return self.ask_for_clients_again(listener),
                Err(Refusal::Gone) => {}
                Err(Refusal::NoRoom(error)) => {
                    self.worker.counters.accepts_without_room.count();
                    self.worker.control.complain("cannot accept for now", &error);
                    return self.pause_gate(listener);
                }
            }
        }
        if P::TRIGGER == Trigger::Edge {
            self.unfinished.push(LISTENER);
        }
        self.ask_for_clients_again(listener);
    }

    fn ask_for_clients_again(&mut self, listener: &Listener) {
        if P::TRIGGER == Trigger::Oneshot && self.gate == Gate::Open {
            self.worker.counters.controls.count();
            let asked = self.poller.modify(listener.socket(), LISTENER, Interest::Read);
            if asked.is_err() {
                self.gate = Gate::Paused;
            }
        }
    }

    fn admit(&mut self, stream: TcpStream) {
        let beyond = P::CEILING.is_some_and(|ceiling| stream.as_raw_fd() >= ceiling);
        let token = self.slots.next();
        if beyond || self.poller.add(stream.as_fd(), token, Interest::Read).is_err() {
            let counters = &self.worker.counters;
            let reason = if beyond { &counters.refused_number } else { &counters.refused_no_watch };
            reason.count();
            counters.refused.count();
            return self.app.turn_away(stream);
        }
        self.worker.counters.controls.count();
        self.worker.counters.accepted.count();
        let session = self.app.open(stream, &self.worker);
        let deadline = session.deadline(&self.worker);
        self.earliest = self.earliest.min(deadline);
        self.slots.insert(Tenant { session, registered: Interest::Read }, deadline);
    }

    fn open_gate(&mut self) {
        if let Source::Listener(listener) = self.source {
            let added = self.poller.add(listener.socket(), LISTENER, Interest::Read);
            self.gate = if added.is_ok() { Gate::Open } else { Gate::Paused };
        }
    }

    /// Stops looking at the listener: it would be reported again and again, and each time in vain.
    fn pause_gate(&mut self, listener: &Listener) {
        if self.gate == Gate::Open && self.poller.remove(listener.socket()).is_ok() {
            self.gate = Gate::Paused;
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
            self.worker.counters.controls.count();
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
        if self.gate == Gate::Paused {
            self.open_gate();
        }
        if self.worker.control.phase() != Phase::Serving {
            self.drain();
        }
        self.expire();
    }

    /// Takes on who has come until now and nobody later, and asks all sessions to finish.
    fn drain(&mut self) {
        if self.gate == Gate::Open
            && let Source::Listener(listener) = self.source
        {
            self.accept();
            self.pause_gate(listener);
        }
        self.gate = Gate::Closed;
        for token in self.slots.tokens() {
            // What the client has sent by now is still answered.
            self.serve(token, Ready::only(Interest::Read));
            if let Some((tenant, _)) = self.slots.of(token) {
                tenant.session.close_soon(&mut self.worker);
                self.serve(token, Ready::default());
            }
        }
    }

    fn expire(&mut self) {
        let now = self.worker.control.now();
        if now < self.earliest {
            return;
        }
        for token in self.slots.overdue(now) {
            if let Some((tenant, _)) = self.slots.of(token) {
                tenant.session.expire(&mut self.worker);
                self.serve(token, Ready::default());
            }
        }
        self.earliest = self.slots.earliest();
    }
}

/// One turn of a session. A write is always worth trying: there is nearly always room.
fn drive<P: Poller>(
    session: &mut dyn Session,
    mut ready: Ready,
    worker: &mut Worker<'_>,
) -> io::Result<Turn> {
    ready.write = true;
    let (mut reads, mut writes) = (reads_max(P::TRIGGER), WRITES_MAX);
    while let Some(interest) = session.interest() {
        if !ready.allows(interest) {
            return Ok(Turn::Waits(interest));
        }
        let (budget, flow) = match interest {
            Interest::Read if reads == 0 => return Ok(out_of_reads(P::TRIGGER)),
            Interest::Write if writes == 0 => return Ok(Turn::Unfinished),
            Interest::Read => (&mut reads, session.read(worker)?),
            Interest::Write => (&mut writes, session.write(worker)?),
        };
        *budget -= 1;
        match (flow, interest) {
            (Flow::More, _) => {}
            (Flow::Dry, Interest::Read) => ready.read = false,
            (Flow::Dry, Interest::Write) => return Ok(Turn::Waits(Interest::Write)),
        }
    }
    Ok(Turn::Over)
}

/// Whoever is told only once must read until nothing is left; the others are told again.
const fn reads_max(trigger: Trigger) -> u32 {
    match trigger {
        Trigger::Edge => EDGE_READS_MAX,
        Trigger::Level | Trigger::Oneshot => 1,
    }
}

const fn out_of_reads(trigger: Trigger) -> Turn {
    match trigger {
        Trigger::Edge => Turn::Unfinished,
        Trigger::Level | Trigger::Oneshot => Turn::Waits(Interest::Read),
    }
}
