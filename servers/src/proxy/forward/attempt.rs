//! Whether a request may be tried again.
//!
//! | what has happened                         | what is done                                   |
//! |-------------------------------------------|------------------------------------------------|
//! | the backend refuses, or connects too late | the next one: nothing has been sent            |
//! | a kept connection breaks before an answer | once more on a fresh one, if harmless          |
//! | a fresh one breaks before an answer       | the next backend, if harmless and in budget    |
//! | it breaks after the answer has begun      | 502 if none of that is out, else the cut shows |
//! | the backend is silent                     | 504                                            |
//!
//! *The next one* is one that has not been asked yet, and after [`TRIED_MAX`] of them there is
//! none.
//!
//! *Harmless* is a request of a method that may be repeated (RFC 9110, 9.2.2) and without content,
//! of which nothing is kept. A POST of which one octet has been sent is never sent again: nobody
//! knows what has been done about it.
//!
//! [`TRIED_MAX`]: crate::proxy::lease::TRIED_MAX

use wire::http1::gateway::Repeat;
use wire::http1::{Answer, StatusCode};

use crate::proxy::site::ProxySite;
use crate::proxy::{Outcome, Tried};

/// Over what a request has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// One that was made for it, or that has answered some of it.
    Fresh,
    /// One that was kept after an earlier request, and has died meanwhile: no fault of the
    /// backend's.
    Stale,
}

/// What has been tried for one request.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The backends that failed.
    pub(super) tried: Tried,
    /// Something of the request has been sent to this one.
    pub(super) sent: bool,
    /// Something of an answer has come from it.
    pub(super) heard: bool,
    /// It has closed its direction.
    pub(super) ended: bool,
    /// It takes no more of the request, but may have answered.
    pub(super) deaf: bool,
    /// A kept connection has turned out to be dead.
    stale: bool,
    /// How often it has been tried again, on others.
    repeats: u32,
    /// How the last one failed.
    pub(super) last: Option<Outcome>,
}

impl Attempt {
    /// Another backend is asked, or the same over another connection.
    pub(super) fn begin(&mut self) {
        (self.sent, self.heard, self.ended, self.deaf) = (false, false, false, false);
    }

    /// Remembers how the last one failed.
    pub(super) fn note(&mut self, outcome: Outcome) {
        self.last = Some(outcome);
    }

    /// Whether the request may be tried again after `outcome`, and counts it if so.
    pub(super) fn may_try_again(
        &mut self,
        repeat: Repeat,
        connection: Connection,
        outcome: Outcome,
        site: &ProxySite,
    ) -> bool {
        let safe = !self.sent || (repeat == Repeat::Harmless && outcome == Outcome::Broken);
        if !safe || self.heard {
            return false;
        }
        if connection == Connection::Stale && !std::mem::replace(&mut self.stale, true) {
            return true;
        }
        self.repeats += 1;
        let refused = outcome == Outcome::Refused;
        refused || (self.repeats <= site.manners.retries && site.may_retry())
    }
}

/// What to tell the client when nobody is left to ask, after the last one failed like that (RFC
/// 9110, 15.6).
pub(in crate::proxy) fn verdict(last: Option<Outcome>) -> Answer {
    match last {
        Some(Outcome::TimedOut) => {
            Answer::text(StatusCode::GATEWAY_TIMEOUT, "The backend has not answered in time.\n")
        }
        Some(Outcome::Broken) => {
            Answer::text(StatusCode::BAD_GATEWAY, "The backend has closed before it answered.\n")
        }
        Some(Outcome::Garbled) => {
            Answer::text(StatusCode::BAD_GATEWAY, "What the backend has answered makes no sense.\n")
        }
        _ => refusal(StatusCode::SERVICE_UNAVAILABLE, "No backend can be reached.\n"),
    }
}

/// What to tell a client whose request goes to nobody, in words; after a 503 it may ask again.
pub(in crate::proxy) fn refusal(status: StatusCode, words: &'static str) -> Answer {
    const AGAIN: &[(&str, &str)] = &[("Retry-After", "1")];
    let fields = if status == StatusCode::SERVICE_UNAVAILABLE { AGAIN } else { &[] };
    Answer { fields, ..Answer::text(status, words) }
}
