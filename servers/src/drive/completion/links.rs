//! Connections to backends: whose they are now, and what happens to those that nobody uses.

use std::mem::take;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::poll::PollFlags;

use super::client::Tie;
use super::line::Line;
use super::ring::{Ask, Name, Ring, What};
use super::{Leaving, Proactor};
use crate::drive::poller::Token;
use crate::drive::reset::tell_if_reset;
use crate::drive::room::give_up_for_a_client;
use crate::proxy::link::is_quiet;
use crate::session::End;

impl<R: Ring> Proactor<'_, R> {
    pub(super) fn line(&mut self, token: Token) -> Option<&mut Line> {
        if self.slots.tied(token).is_some() {
            return self.slots.tied(token).map(|tied| &mut tied.line);
        }
        self.slots.of(token).map(|(client, _)| &mut client.line)
    }

    /// Whose socket it is or was last, and which of the two. While a send is open, that is the
    /// session which has asked for it: it is left alone, and so it keeps its link.
    pub(super) fn owner(&mut self, token: Token) -> (Token, End) {
        match self.slots.tied(token) {
            Some(tied) => (tied.to, End::Upstream),
            None => (token, End::Client),
        }
    }

    /// Whose socket it is, and which of the two; `None` when nobody has it.
    pub(super) fn user(&mut self, token: Token) -> Option<(Token, End)> {
        let Some(tied) = self.slots.tied(token) else {
            return self.slots.of(token).map(|_| (token, End::Client));
        };
        let user = tied.to;
        let (client, _) = self.slots.of(user)?;
        let link = client.session.link()?;
        (link.ticket == Some(token)).then_some((user, End::Upstream))
    }

    pub(super) fn take_line(&mut self, link: Option<Token>) -> Line {
        let tied = link.and_then(|link| self.slots.tied(link));
        tied.map(|tied| take(&mut tied.line)).unwrap_or_default()
    }

    pub(super) fn put_line(&mut self, link: Option<Token>, line: Line) {
        if let Some(tied) = link.and_then(|link| self.slots.tied(link)) {
            tied.line = line;
        }
    }

    /// Notes which connection to a backend a session uses now; says whether it is another one than
    /// it was.
    pub(super) fn tie(&mut self, token: Token) -> bool {
        let Some((client, _)) = self.slots.of(token) else { return false };
        let before = client.link;
        let link = client.session.link().map(|link| (link.ticket, link.as_raw_fd()));
        let ticket =
            link.map(|(ticket, socket)| ticket.unwrap_or_else(|| self.tie_new(token, socket)));
        if before == ticket {
            return false;
        }
        if let Some((client, _)) = self.slots.of(token) {
            client.link = ticket;
        }
        if let Some(tied) = ticket.and_then(|ticket| self.slots.tied(ticket)) {
            tied.to = token;
        }
        self.rest_link(before);
        true
    }

    fn tie_new(&mut self, token: Token, socket: RawFd) -> Token {
        let name = self.slots.next();
        self.slots.tie(Tie { to: token, socket, line: Line::default() });
        if let Some(link) = self.slots.of(token).and_then(|(client, _)| client.session.link()) {
            link.ticket = Some(name);
        }
        name
    }

    /// Nobody uses the link now. One from which octets may already be on their way is of no use to
    /// anybody else.
    pub(super) fn rest_link(&mut self, link: Option<Token>) {
        let Some((name, tied)) = link.and_then(|name| Some((name, self.slots.tied(name)?))) else {
            return;
        };
        if tied.line.early.is_some() || tied.line.asked.has(What::Receive) {
            self.worker.links.evict(name);
            self.sweep();
        }
    }

    /// Lets go the connections to backends that have waited in vain.
    pub(super) fn go_through_links(&mut self) {
        self.worker.links.go_through(self.worker.control.now());
        self.sweep();
    }

    /// Closes the connections to backends that nobody wants any more.
    pub(super) fn sweep(&mut self) {
        while let Some(link) = self.worker.links.retired() {
            let Some(ticket) = link.ticket else { continue };
            let asked = self.slots.tied(ticket).map(|tied| tied.line.asked).unwrap_or_default();
            self.slots.remove(ticket);
            if !asked.is_empty() {
                self.cancel(ticket, asked);
                self.leaving.push(Leaving::Link(link));
            }
        }
        self.worker.links.fill_reserve();
    }

    /// Gives up something that is only kept for later, for its descriptor is wanted for a client;
    /// says whether there was anything. A connection of which something is still asked is closed in
    /// the next turn.
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

    /// Something has happened to a socket from which nothing was wanted.
    pub(super) fn looked(&mut self, token: Token) {
        match self.user(token) {
            Some((user, End::Client)) => self.close_if_reset(user),
            // A session has taken the link up meanwhile, and sees for itself.
            Some((_, End::Upstream)) => {}
            None => self.evict_if_heard(token),
        }
    }

    /// Gives up a link that nobody uses, if anything has come from it. What was reported may have
    /// been the end of the last answer.
    fn evict_if_heard(&mut self, token: Token) {
        if self.slots.tied(token).is_some_and(|tied| !is_quiet(tied.socket())) {
            self.worker.links.evict(token);
            self.sweep();
        }
    }

    /// When the client has gone, there is nobody any more for whom a backend should go on working.
    fn close_if_reset(&mut self, token: Token) {
        let Some((client, _)) = self.slots.of(token) else { return };
        let unwanted = !client.is_sending() && client.session.wants().client.is_none();
        if unwanted && tell_if_reset(client.session.as_mut(), &mut self.worker).is_err() {
            self.close(token);
        }
    }

    /// Who is not asked for anything may go away unnoticed: a client that has waited for a backend
    /// when the clock ticks, and a backend whose link has rested. From now on they are watched. To
    /// watch each of them at once would cost a request more for each message.
    pub(super) fn look_after_the_silent(&mut self) {
        if !self.slots.has_links() {
            return;
        }
        for token in self.slots.tokens() {
            let Some((client, _)) = self.slots.of(token) else { continue };
            if client.link.is_some() && client.session.wants().client.is_none() {
                let socket = client.session.socket(End::Client).as_raw_fd();
                self.look_at(token, socket, PollFlags::POLLERR);
            }
        }
        for token in self.slots.links() {
            let rests = self.user(token).is_none();
            if let Some(socket) = self.slots.tied(token).filter(|_| rests).map(|tied| tied.socket) {
                self.look_at(token, socket, PollFlags::POLLIN);
            }
        }
    }

    fn look_at(&mut self, token: Token, socket: RawFd, flags: PollFlags) {
        let Some(line) = self.line(token).filter(|line| !line.asked.has(What::Look)) else {
            return;
        };
        line.asked.add(What::Look);
        // SAFETY: the socket is open, for it is in its slot; and it is closed only when the kernel
        // has taken what was asked for it.
        unsafe {
            let ask = Ask::Poll(BorrowedFd::borrow_raw(socket), flags);
            self.ring.ask(Name { what: What::Look, token }, ask);
        }
    }
}
