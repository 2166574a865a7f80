//! The reactor's part in connections to backends: it registers them when a session brings one, and
//! takes them out before they are closed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::Reactor;
use super::turn::{ask, known, to_ask};
use crate::connection::Interest;
use crate::drive::poller::{Poller, Ready, Token, Trigger};
use crate::drive::reset::tell_if_reset;
use crate::drive::room::give_up_for_a_client;
use crate::drive::slots::{Tied, Watch};

impl<P: Poller> Reactor<'_, P> {
    /// The name of the connection to a backend that a session uses, once it has one.
    pub(super) fn link_of(&mut self, token: Token) -> Option<Token> {
        self.slots.of(token).and_then(|(tenant, _)| tenant.session.link()?.ticket)
    }

    /// What that connection is ready for, as far as is known.
    pub(super) fn link_ready(&mut self, link: Option<Token>) -> Ready {
        let tied = link.and_then(|link| self.slots.tied(link));
        tied.map_or_else(|| Ready::only(Interest::Write), |tied| tied.watch.ready)
    }

    /// Makes sure that the poller waits for the right thing of a session's connection to a backend,
    /// which may be new to it. `false` says that the kernel has no room for that.
    pub(super) fn settle_link(
        &mut self,
        token: Token,
        wanted: Option<Interest>,
        ready: Ready,
    ) -> bool {
        let name = self.slots.next();
        let Some((tenant, _)) = self.slots.of(token) else { return true };
        let Some(link) = tenant.session.link() else { return true };
        let Some(ticket) = link.ticket else {
            let interest = to_ask::<P>(wanted.unwrap_or(Interest::Read));
            self.worker.counters.controls.add(P::CALLS_PER_CONTROL);
            if self.poller.add(link.as_fd(), name, interest).is_err() {
                return false;
            }
            link.ticket = Some(name);
            let watch = Watch { ready: known::<P>(ready), ..Watch::new(interest) };
            self.slots.tie(Tied { to: token, watch });
            return true;
        };
        let socket = link.as_raw_fd();
        let Some(tied) = self.slots.tied(ticket) else { return true };
        tied.to = token;
        tied.watch.ready = known::<P>(ready);
        // SAFETY: the session's link is open; it is borrowed anew because the slots are, too.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        let watch = &mut tied.watch;
        ask(&mut self.poller, &self.worker, socket, ticket, wanted, watch, ready).is_ok()
    }

    /// A client from whom nothing is wanted while a backend works for it may go away unnoticed:
    /// when it has sent too much, it is no longer watched. So it is looked at when the clock ticks.
    pub(super) fn look_after_the_silent(&mut self) {
        // Who is told of each change has been told of this one.
        if P::TRIGGER == Trigger::Edge || !self.slots.has_links() {
            return;
        }
        for link in self.slots.links() {
            let Some(token) = self.slots.tied(link).map(|tied| tied.to) else { continue };
            let Some((tenant, _)) = self.slots.of(token) else { continue };
            let session = tenant.session.as_mut();
            let silent = session.wants().client.is_none()
                && session.link().is_some_and(|used| used.ticket == Some(link));
            if silent && tell_if_reset(session, &mut self.worker).is_err() {
                self.close(token);
            }
        }
    }

    /// Lets go the connections to backends that have waited in vain.
    pub(super) fn go_through_links(&mut self) {
        self.worker.links.go_through(self.worker.control.now());
        self.sweep();
    }

    /// A connection that nobody uses has been reported. Whatever can be read from it, nobody has
    /// asked for. And it may still be watched for room: whoever had it last found that and the
    /// answer at once. Where that would be reported again at each wait, it is given up as well.
    pub(super) fn heard_from_idle(&mut self, link: Token, event: Ready) {
        if event.read || event.ended || P::TRIGGER == Trigger::Level {
            self.worker.links.evict(link);
            self.sweep();
        }
    }

    /// Closes something that is only kept for later, for its descriptor is wanted for a client;
    /// says whether there was anything.
    pub(super) fn make_room(&mut self) -> bool {
        let given = give_up_for_a_client(&self.slots, &mut self.worker);
        self.sweep();
        given
    }

    /// Does that for somebody who has appealed for it.
    pub(super) fn hear_appeal(&mut self) {
        let control = self.worker.control;
        if control.appeal.is_open() && self.make_room() {
            control.appeal.end();
        }
    }

    /// Closes the connections to backends that nobody wants any more.
    pub(super) fn sweep(&mut self) {
        while let Some(link) = self.worker.links.retired() {
            let Some(ticket) = link.ticket else { continue };
            let registered = self.slots.tied(ticket).and_then(|tied| tied.watch.registered);
            if registered.is_some() {
                self.worker.counters.controls.add(P::CALLS_PER_FORGET);
                self.poller.forget(link.as_fd());
            }
            self.slots.remove(ticket);
        }
        self.worker.links.fill_reserve();
    }
}
