//! Whose turn it is in an exchange: what the session waits for, and what it wants of which socket.

use wire::http1::gateway::Asked;

use super::octets::holds_any;
use super::{Forward, Life};
use crate::connection::{Interest, Wait};
use crate::session::Wants;

impl Forward {
    pub(super) fn waits_for(&self) -> Wait {
        let octets = &self.octets;
        if self.life == Life::Lingering {
            Wait::Linger
        } else if holds_any(&octets.client_out) {
            Wait::Room
        } else if self.gateway.listens() {
            if holds_any(&octets.client_in) { Wait::Head } else { Wait::Idle }
        } else if !self.attempt.sent {
            Wait::Connect
        } else if self.owes_content() && !holds_any(&octets.upstream_out) {
            Wait::Body
        } else {
            Wait::Reply
        }
    }

    /// Whether it is the client's turn to send content: one that waits for a word from the backend,
    /// or that nobody listens to any more, is not late.
    fn owes_content(&self) -> bool {
        self.gateway.wants_content() && !self.gateway.awaits_word() && !self.attempt.deaf
    }

    /// What it wants while an exchange is under way.
    pub(super) fn wants_in_exchange(&self) -> Wants {
        let octets = &self.octets;
        let answering = holds_any(&octets.client_out);
        let sending = holds_any(&octets.upstream_out);
        let content = self.gateway.wants_content() && !self.attempt.deaf;
        let more = content && !sending && !self.client_ended;
        Wants {
            client: Interest::of(more, answering),
            upstream: Interest::of((!sending || self.may_be_early()) && !answering, sending),
        }
    }

    /// Whether an answer may come before all of the request is out: a backend need not read content
    /// that it has no use for, not even the last of it.
    fn may_be_early(&self) -> bool {
        !self.gateway.holds() && self.gateway.asked().is_some_and(Asked::has_content)
    }
}
