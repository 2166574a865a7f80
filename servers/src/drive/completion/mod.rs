//! The completion loop: ask the kernel for everything that is wanted, then wait until some of it is
//! done.
//!
//! It is the twin of [`crate::drive::reactor`]. That one is told that a call would not wait, and
//! makes it; this one has the call made, in a [`Ring`], and is told what came of it.
//!
//! **Who owns the memory.** The kernel writes into buffers of the ring's, taken when octets come: a
//! connection that waits owns none (see `provided`). They are copied to the session and go back
//! before the next answer is looked at, so a client that is slow to take its answer keeps none from
//! the others. The kernel reads from a session's output, which must stay where it is; so a send
//! takes only what fits *now*, is done when the call that handed it over returns, and until then
//! the session is left alone; if there are two, until both are done. Where nothing fits, the
//! session waits for a report of room, which needs no memory at all.
//!
//! **Who owns the sockets.** A request keeps the connection open behind the descriptor's back: a
//! socket that is closed while something is asked of it says nothing to its peer. So what is open
//! is cancelled first, and the descriptor is closed when the kernel has taken the cancellation.
//!
//! Nobody is starved: each connection has one receive and one send in each turn.

mod client;
mod gate;
mod line;
mod links;
mod provided;
mod ring;
mod rounds;
#[cfg(test)]
mod tests;
mod uring;

use std::io;
use std::mem::take;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::PollFlags;

use client::{Client, Next, Tie};
use line::{Asked, Early, arrival, deliver};
use ring::SLOTS;

use crate::apps::App;
use crate::connection::Flow;
use crate::control::{Phase, Ticks};
use crate::drive::poller::Token;
use crate::drive::slots::Slots;
use crate::keeper::Keeper;
use crate::listener::{Blocking, Listener};
use crate::models::Site;
use crate::proxy::link::Link;
use crate::session::{End, Session};
use crate::waker::Waker;
use crate::worker::Worker;

pub use ring::{Ask, Done, Expect, Lent, Name, Ring, What};
pub use uring::{Size, Uring, refusal};

const LISTENER: Token = Token { slot: SLOTS - 1, generation: 0 };
const WAKER: Token = Token { slot: SLOTS - 2, generation: 0 };
const KEEPER: Token = Token { slot: SLOTS - 3, generation: 0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Clients have been asked for.
    Open,
    /// There was no descriptor for the next client: wait until one is free.
    Paused,
    /// The request for clients is being cancelled.
    Closing,
    Closed,
}

/// What is closed once the kernel knows that nothing is wanted of it any more.
#[expect(dead_code, reason = "they are only held, and dropped")]
enum Leaving {
    Session(Box<dyn Session>),
    Link(Link),
}

/// A completion loop with everything it needs from the kernel.
pub struct Proactor<'a, R> {
    /// The first to be dropped: it ends what the kernel does with the memory of the others.
    ring: R,
    listener: &'a Listener,
    gate: Gate,
    app: &'a dyn App,
    worker: Worker<'a>,
    waker: Arc<Waker>,
    /// The first worker of a server does the keeper's work.
    keeper: Option<&'a Keeper>,
    slots: Slots<Client, Tie>,
    done: Vec<Done>,
    leaving: Vec<Leaving>,
    earliest: Ticks,
}

impl<'a, R: Ring> Proactor<'a, R> {
    /// A loop for the clients of `listener`.
    ///
    /// # Errors
    /// When there is no descriptor for it.
    pub fn new(site: &Site<'a>, listener: &'a Listener, ring: R) -> io::Result<Self> {
        Ok(Self {
            ring,
            listener,
            gate: Gate::Paused,
            app: site.app,
            worker: Worker::new(site.control, Blocking::No),
            waker: site.control.waker()?,
            keeper: site.control.join_reactors().then_some(site.keeper),
            slots: Slots::default(),
            done: Vec::new(),
            leaving: Vec::new(),
            earliest: Ticks::NEVER,
        })
    }

    /// Serves until the server stops.
    ///
    /// # Errors
    /// When the kernel refuses to wait. Then the whole server stops: without this worker, some
    /// clients would wait for ever.
    pub fn run(mut self) -> io::Result<()> {
        let mut result = self.start();
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

    fn start(&mut self) -> io::Result<()> {
        self.ring.start()?;
        self.look_at_waker();
        self.look_at_keeper();
        self.open_gate();
        Ok(())
    }

    fn goes_on(&self) -> bool {
        let keeps = self.keeper.is_some() && self.worker.control.reactors() > 1;
        let busy = self.gate != Gate::Closed || self.slots.len() > 0 || keeps;
        self.worker.control.phase() != Phase::Closing && busy
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut done = take(&mut self.done);
        self.worker.counters.waits.count();
        let turned = self.ring.turn(&mut done);
        self.worker.counters.wait_calls.add(self.ring.calls());
        if self.ring.backlog() == 0 {
            self.close_leaving();
        }
        done.drain(..).for_each(|done| self.dispatch(done));
        self.done = done;
        turned
    }

    fn dispatch(&mut self, done: Done) {
        match done.name {
            Name { what: What::Cancel, .. } => {}
            Name { what: What::Accept, .. } => self.accepted(done),
            Name { token: WAKER, .. } => self.wake_up(),
            Name { token: KEEPER, .. } => self.keep(),
            _ => self.serve(done),
        }
    }

    /// A request for a session's socket is done, or for one that a session had.
    fn serve(&mut self, done: Done) {
        let Name { what, token } = done.name;
        if let Some(line) = self.line(token) {
            line.asked.remove(what);
        }
        match what {
            What::Receive => self.received(token, done),
            What::Send => self.sent(token, done.result),
            What::Room | What::Ready => self.reported(what, token),
            _ => self.looked(token),
        }
    }

    fn received(&mut self, token: Token, done: Done) {
        self.worker.counters.reads.count();
        self.worker.counters.ring_requests.count();
        let user = self.user(token);
        let handed_over = user.map(|user| self.hand_over(token, user, &done));
        if let Some(lent) = done.lent {
            self.ring.take_back(lent);
        }
        match (user, handed_over) {
            (Some((user, _)), Some(Ok(()))) => self.advance(user),
            (Some((user, _)), _) => self.close(user),
            // A link that nobody uses: whatever came, nobody has asked for.
            (None, _) => {
                self.worker.links.evict(token);
                self.sweep();
            }
        }
    }

    /// Gives a session what was received for it; keeps what it does not want yet.
    fn hand_over(&mut self, token: Token, user: (Token, End), done: &Done) -> io::Result<()> {
        let early = match (done.result, &done.lent) {
            (Ok(0), _) => Some(Early::End),
            (Ok(count), Some(lent)) => {
                let octets = self.ring.octets(lent, count);
                let Some((client, _)) = self.slots.of(user.0) else { return Ok(()) };
                let taken = match client.is_sending() {
                    true => 0,
                    false => deliver(octets, user.1, client.session.as_mut(), &mut self.worker)?,
                };
                rest(&octets[taken..], &mut self.worker)
            }
            (Err(errno), _) if passes(errno) => None,
            (Err(errno), _) => Some(Early::Broken(errno)),
            (Ok(_), None) => None,
        };
        let kept = early.is_some();
        if let Some(line) = self.line(token) {
            line.early = early;
            line.expect = done.expect;
        }
        if let Some((client, _)) = self.slots.of(user.0) {
            client.note_kept(user.1, kept);
        }
        Ok(())
    }

    fn sent(&mut self, token: Token, result: Result<u32, Errno>) {
        self.worker.counters.writes.count();
        self.worker.counters.ring_requests.count();
        let (owner, end) = self.owner(token);
        let Some((client, _)) = self.slots.of(owner) else { return };
        client.sends -= 1;
        *client.sent.of(end) = Some(result);
        if client.is_sending() {
            return;
        }
        match self.tell_sent(owner) {
            Ok(()) => self.advance(owner),
            Err(_) => self.close(owner),
        }
    }

    /// Tells a session what came of its sends, now that the kernel reads from none of its outputs.
    /// First that to the backend: it may make room for more to the client, but takes nothing back.
    fn tell_sent(&mut self, owner: Token) -> io::Result<()> {
        for end in [End::Upstream, End::Client] {
            let Some((client, _)) = self.slots.of(owner) else { return Ok(()) };
            let Some(result) = client.sent.of(end).take() else { continue };
            let name = if end == End::Client { Some(owner) } else { client.link };
            let count = result.map(|count| count as usize).map_err(io::Error::from);
            let flow = client.session.sent(end, count, &mut self.worker)?;
            if let Some(line) = name.and_then(|name| self.line(name)) {
                line.full = flow == Flow::Dry;
            }
        }
        Ok(())
    }

    fn reported(&mut self, what: What, token: Token) {
        if let Some(line) = self.line(token) {
            match what {
                What::Room => line.full = false,
                _ => line.ready = true,
            }
        }
        if let Some((user, _)) = self.user(token) {
            self.advance(user);
        }
    }

    /// Takes a session as far as it goes with what is there, and asks for what it wants then.
    fn advance(&mut self, token: Token) {
        loop {
            match self.converse(token) {
                None => return,
                Some(Ok(Next::Waits)) if self.tie(token) => {}
                Some(Ok(Next::Waits)) => break,
                Some(Ok(Next::Ends) | Err(_)) => return self.close(token),
            }
        }
        self.ask_for(token);
        if let Some((client, deadline)) = self.slots.of(token) {
            *deadline = client.session.deadline(&self.worker);
            self.earliest = self.earliest.min(*deadline);
        }
    }

    /// `None` says that there is no such session, or that it is to be left alone.
    fn converse(&mut self, token: Token) -> Option<io::Result<Next>> {
        let (client, _) = self.slots.of(token)?;
        if client.is_sending() {
            return None;
        }
        let link = client.link;
        let mut upstream = self.take_line(link);
        let (client, _) = self.slots.of(token)?;
        let next = client.converse(&mut upstream, &mut self.worker);
        self.put_line(link, upstream);
        self.sweep();
        Some(next)
    }

    /// Asks for what a session wants and has not been asked for.
    fn ask_for(&mut self, token: Token) {
        let Some((client, _)) = self.slots.of(token) else { return };
        let (mut wants, link) = (client.session.wants(), client.link);
        let calls = client.session.calls();
        for (end, name) in [(End::Client, Some(token)), (End::Upstream, link)] {
            let (Some(wanted), Some(name)) = (*wants.of(end), name) else { continue };
            let Some(line) = self.line(name) else { continue };
            let (lacks, expect) = (line.lacks(wanted, calls), line.expect);
            lacks.each().for_each(|what| line.asked.add(what));
            let Some((client, _)) = self.slots.of(token) else { return };
            client.sends += u8::from(lacks.has(What::Send));
            let session = client.session.as_ref();
            for what in lacks.each() {
                let ask = match what {
                    What::Send => Ask::Send(session.socket(end), session.output(end)),
                    What::Room => Ask::Poll(session.socket(end), PollFlags::POLLOUT),
                    What::Ready => Ask::Poll(session.socket(end), arrival(wanted)),
                    _ => Ask::Receive(session.socket(end), expect),
                };
                // SAFETY: the session is left alone while it has sends, and is not dropped; a
                // socket is closed only when the kernel has taken what was asked for it.
                unsafe { self.ring.ask(Name { what, token: name }, ask) };
            }
        }
    }

    fn close(&mut self, token: Token) {
        let Some(mut client) = self.slots.remove(token) else { return };
        debug_assert!(!client.is_sending(), "the kernel reads from its output");
        client.session.leave(&mut self.worker);
        self.sweep();
        self.rest_link(client.link);
        if let Some(Early::Octets(octets)) = client.line.early.take() {
            self.worker.buffers.take_back(octets);
        }
        if !client.line.asked.is_empty() {
            self.cancel(token, client.line.asked);
            self.leaving.push(Leaving::Session(client.session));
        }
        self.worker.counters.closed.count();
        self.reopen_gate();
    }

    /// Closes what the kernel knows to be given up.
    fn close_leaving(&mut self) {
        if !self.leaving.is_empty() {
            self.leaving.clear();
            self.worker.links.fill_reserve();
            self.reopen_gate();
        }
    }

    fn cancel(&mut self, token: Token, asked: Asked) {
        for what in asked.each() {
            let cancel = Name { what: What::Cancel, token };
            // SAFETY: no octets are lent, and no descriptor is named.
            unsafe { self.ring.ask(cancel, Ask::Cancel(Name { what, token })) };
        }
    }
}

/// What a session has not taken of these octets.
fn rest(octets: &[u8], worker: &mut Worker<'_>) -> Option<Early> {
    if octets.is_empty() {
        return None;
    }
    let mut buffer = worker.buffers.lend();
    buffer.push(octets);
    Some(Early::Octets(buffer))
}

/// Whether a receive that failed so is simply asked for again: it was cancelled, or there was no
/// buffer left in this turn.
const fn passes(errno: Errno) -> bool {
    matches!(errno, Errno::ECANCELED | Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR)
}

/// Just this request.
fn only(what: What) -> Asked {
    let mut asked = Asked::default();
    asked.add(what);
    asked
}
