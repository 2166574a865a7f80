//! A gateway: what stands between a client and a backend, and is a server to the one and a client
//! to the other (RFC 9110, 3.7).
//!
//! ```text
//!   client                         gateway                           backend
//!     │ request ─▶ [client_in] ─▶ inbound  ─▶ [upstream_out] ─▶ request │
//!     │ reply   ◀─ [client_out] ◀─ outbound ◀─ [upstream_in]  ◀─ reply  │
//! ```
//!
//! There is one exchange at a time. Its steps, which the caller takes:
//!
//! 1. [`hear`](Gateway::hear) until the head of a request is whole. It stays in the input, for it
//!    may have to be sent more than once.
//! 2. [`forward`](Gateway::forward) writes it for a backend: without the fields that were meant for
//!    this connection only, and with those that say who has asked. When another backend must be
//!    tried, once more.
//! 3. [`commit`](Gateway::commit) when it can't be repeated any more, and then
//!    [`carry`](Gateway::carry) for what follows it.
//! 4. [`answer`](Gateway::answer) takes the reply over to the client as it comes, and
//!    [`answer_ends`](Gateway::answer_ends) says that the backend has closed.
//! 5. [`next`](Gateway::next) when the reply is over; or
//!    [`answer_by_self`](Gateway::answer_by_self) when there is none, and nothing of one has been
//!    passed on.
//!
//! Both sides are read as strictly as the server and the client read: what is passed on has been
//! understood, and is framed anew. A request cannot be smuggled through what two readers understand
//! differently, for the second one never sees the original.

mod asked;
mod carrier;
mod heads;
mod outbound;

use super::body::Body;
use super::reply::ReplyHead;
use super::request::{RequestHead, path_of};
use super::response::Persistence;
use super::{Answer, Error, Framing, Limits, StatusCode, Version};
use crate::{Buffer, Stage};

pub use asked::{Asked, Repeat};
pub use heads::Forwarder;

use carrier::{Carried, Carrier, Wrapping};

/// Empty lines that may stand before a request line (RFC 9112, 2.2).
const EMPTY_LINES: u32 = 2;

/// One client's conversation, through this gateway, with whichever backends.
#[derive(Debug)]
pub struct Gateway {
    limits: Limits,
    inbound: Inbound,
    outbound: Outbound,
    interim: u32,
    empty_lines: u32,
    closing: bool,
    /// The client sends no content before it gets a word.
    awaits_word: bool,
    /// The reply ends where the client's connection ends.
    ends_by_closing: bool,
    answered: u64,
}

/// What is known of the request.
#[derive(Debug)]
enum Inbound {
    /// Its head comes in, or is waited for.
    Head(RequestHead),
    /// Its head is at the front of the input.
    Held(Asked),
    /// Its head has gone; what follows is passed on.
    Content(Asked, Carrier),
    /// All of it has gone.
    Sent(Asked),
    /// There will be no further one, however much the client may still be sending.
    Finished,
}

/// What is known of the reply.
#[derive(Debug)]
enum Outbound {
    Head(ReplyHead),
    Content(Carrier, Reuse),
    Done(Reuse),
}

/// Whether the connection to the backend can be used for another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It can.
    Yes,
    /// It ends with this reply.
    No,
}

/// How far a reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits: for octets, or for room.
    Waits,
    /// All of it is in the output.
    Done(Reuse),
}

/// What a client has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing yet: the head is not whole.
    Nothing,
    /// A request that is to go to a backend.
    Request,
    /// A request that this gateway must answer itself: see [`Gateway::answer_here`].
    Here,
}

impl Gateway {
    /// A gateway at the start of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            inbound: Inbound::Head(RequestHead::default()),
            outbound: Outbound::Head(ReplyHead::default()),
            interim: 0,
            empty_lines: 0,
            closing: false,
            awaits_word: false,
            ends_by_closing: false,
            answered: 0,
        }
    }

    /// Where the conversation stands, for whoever keeps the deadlines.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match &self.inbound {
            Inbound::Head(_) | Inbound::Finished => Stage::Between,
            _ => Stage::Within,
        }
    }

    /// Whether nothing more will be read from the client.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self.inbound, Inbound::Finished)
    }

    /// Whether a request is waited for, or its head is coming in.
    #[must_use]
    pub const fn listens(&self) -> bool {
        matches!(self.inbound, Inbound::Head(_))
    }

    /// Whether more of the request is to come from the client.
    #[must_use]
    pub const fn wants_content(&self) -> bool {
        matches!(self.inbound, Inbound::Content(..))
    }

    /// The request that is under way.
    #[must_use]
    pub const fn asked(&self) -> Option<&Asked> {
        match &self.inbound {
            Inbound::Held(asked) | Inbound::Content(asked, _) | Inbound::Sent(asked) => Some(asked),
            _ => None,
        }
    }

    /// How many requests have been answered since the start.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.answered
    }

    /// Asks for an end at the next boundary between requests.
    pub const fn close_soon(&mut self) {
        self.closing = true;
    }

    /// Reads the head of a request at the front of `input`, where it stays.
    ///
    /// # Errors
    /// The rule that it breaks. [`answer_by_self`](Self::answer_by_self) with its status
    /// then.
    pub fn hear(&mut self, input: &mut Buffer) -> Result<Heard, Error> {
        let Inbound::Head(head) = &mut self.inbound else { return Ok(Heard::Nothing) };
        while self.empty_lines < EMPTY_LINES && input.filled().starts_with(b"\r\n") {
            input.consume(2);
            self.empty_lines += 1;
            *head = RequestHead::default();
        }
        let Some(request) = head.read(input.filled(), input.capacity(), &self.limits)? else {
            if self.closing && input.is_empty() {
                self.inbound = Inbound::Finished;
            }
            return Ok(Heard::Nothing);
        };
        let asked = Asked::of(&request);
        let heard = if asked.is_for_us { Heard::Here } else { Heard::Request };
        self.inbound = Inbound::Held(asked);
        self.awaits_word = asked.expects_continue();
        self.outbound = Outbound::Head(ReplyHead::default());
        self.interim = 0;
        Ok(heard)
    }

    /// The path of the request that was heard last, as long as its head is [held](Self::holds).
    #[must_use]
    pub fn path<'b>(&self, input: &'b Buffer) -> Option<&'b str> {
        let Inbound::Held(Asked { target: (start, end), .. }) = self.inbound else { return None };
        Some(path_of(&input.filled()[start..end]))
    }

    /// Writes the head that was heard last for a backend. `false` says that `output`, which should
    /// be empty, is too small for it.
    #[must_use]
    pub fn forward(&self, input: &Buffer, by: &Forwarder<'_>, output: &mut Buffer) -> bool {
        let Inbound::Held(asked) = &self.inbound else { return true };
        heads::write_request(&input.filled()[..asked.length], asked, by, output)
    }

    /// The request can't be sent a second time from here on: its head is consumed.
    pub fn commit(&mut self, input: &mut Buffer) {
        let &mut Inbound::Held(asked) = &mut self.inbound else { return };
        input.consume(asked.length);
        let body = Body::new(asked.framing, &self.limits);
        self.inbound = if body.is_over() {
            Inbound::Sent(asked)
        } else {
            let wrapping = Wrapping::of(asked.framing);
            Inbound::Content(asked, Carrier::framed(body, wrapping))
        };
    }

    /// Whether the head of the request is still held, so that it could be sent again.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self.inbound, Inbound::Held(_))
    }

    /// Takes what follows the head from the client's `input` to the backend's `output`.
    ///
    /// # Errors
    /// The rule that the client has broken. The connection to the backend is of no use any more.
    pub fn carry(&mut self, input: &mut Buffer, output: &mut Buffer) -> Result<(), Error> {
        let Inbound::Content(asked, carrier) = &mut self.inbound else { return Ok(()) };
        self.awaits_word &= input.is_empty();
        if carrier.carry(input, output)? == Carried::All {
            self.inbound = Inbound::Sent(*asked);
        }
        Ok(())
    }

    /// Whether the client may rightly wait before it sends content: it has asked for a `100
    /// Continue`, none has been passed on, and it has not begun without one (RFC 9110, 10.1.1).
    #[must_use]
    pub const fn awaits_word(&self) -> bool {
        self.awaits_word && self.wants_content()
    }

    /// Whether anything of a final reply to the request under way has been passed on, so that no
    /// other one can be.
    #[must_use]
    pub const fn has_answered(&self) -> bool {
        !matches!(self.outbound, Outbound::Head(_))
    }

    /// Whether the end of the reply is the end of the connection for the client as well: then a cut
    /// must not look like an end. That holds until the last octet, of the output as well, has been
    /// sent.
    #[must_use]
    pub const fn ends_by_closing(&self) -> bool {
        self.ends_by_closing
    }

    /// Goes on to the next request, after [`Progress::Done`].
    pub fn next(&mut self, input: &mut Buffer) {
        if self.holds() {
            self.commit(input);
        }
        self.outbound = Outbound::Head(ReplyHead::default());
        self.go_on();
    }

    /// Answers without a backend, by an answer whose content is there and so short that `output`,
    /// which should be empty, has room for it; if it has none all the same, the connection ends.
    /// Must not be called after a part of a reply [has been passed on](Self::has_answered).
    pub fn answer_by_self(
        &mut self,
        answer: Answer,
        by: &Forwarder<'_>,
        input: &mut Buffer,
        output: &mut Buffer,
    ) {
        self.commit_if_bare(input);
        self.write_own(answer, by, output);
    }

    /// Answers a request that asks this gateway itself: `OPTIONS` with no forwards left (RFC 9110,
    /// 7.6.2).
    pub fn answer_here(&mut self, by: &Forwarder<'_>, input: &mut Buffer, output: &mut Buffer) {
        self.commit_if_bare(input);
        let fields = &[("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")];
        self.write_own(Answer { fields, ..Answer::empty(StatusCode::OK) }, by, output);
    }

    /// A request without content is over with its head.
    fn commit_if_bare(&mut self, input: &mut Buffer) {
        if self.asked().is_some_and(|asked| !asked.has_content()) {
            self.commit(input);
        }
    }

    fn write_own(&mut self, answer: Answer, by: &Forwarder<'_>, output: &mut Buffer) {
        let fits = output.reserve(answer.room());
        // Whoever does not get this answer would take the next one for it.
        self.closing |= !fits;
        let head_only = match &self.inbound {
            Inbound::Head(head) => head.asks_for_head(),
            _ => self.asked().is_some_and(|asked| asked.head_only),
        };
        let version = self.asked().map_or(Version::Http11, |asked| asked.version);
        let persistence = persistence(version, self.persists());
        if fits {
            let framing = answer.framing(Framing::None);
            answer.write_head(framing, persistence, Some((by.date)()), output);
            if !head_only {
                output.push(answer.octets());
            }
        }
        self.go_on();
    }

    /// The request is answered: waits for the next one, if the client's connection stays.
    fn go_on(&mut self) {
        self.answered += 1;
        self.empty_lines = 0;
        self.inbound = match self.persists() {
            true => Inbound::Head(RequestHead::default()),
            false => Inbound::Finished,
        };
    }

    /// Whether the client's connection stays after this exchange, as far as is known now.
    fn persists(&self) -> bool {
        let whole = match &self.inbound {
            Inbound::Held(asked) => !asked.has_content(),
            Inbound::Sent(_) => true,
            _ => false,
        };
        whole && !self.closing && self.asked().is_some_and(|asked| asked.persists)
    }
}

const fn persistence(version: Version, persists: bool) -> Persistence {
    match version {
        _ if !persists => Persistence::Close,
        Version::Http10 => Persistence::KeepAlive,
        Version::Http11 => Persistence::Usual,
    }
}
