//! What is to be done about one request: the answer, and how it is put on the wire.

use super::response::{CHUNK_LINE, Persistence};
use super::{Answer, Content, Error, Framing, Request, Service, StatusCode, Version};
use crate::Buffer;

/// What a client that expects it waits for (RFC 9110, 15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Plan {
    answer: Answer,
    framing: Framing,
    version: Version,
    /// The head is all there is: the answer to HEAD.
    pub(crate) head_only: bool,
    /// Whether the connection stays. Settled when the head is written.
    pub(crate) persists: bool,
    /// Whether the head has been written.
    pub(crate) begun: bool,
    /// The client waits for a `100 Continue`, and shall have it.
    continue_due: bool,
    /// The client may never send the body, so nothing after the head can be understood.
    pub(crate) skips_body: bool,
}

impl Plan {
    /// A plan for what the service has answered. A head (and the line of a first chunk) that never
    /// fits in the output's `capacity` is replaced by one that does.
    pub(crate) fn new(answer: Answer, request: &Request<'_>, capacity: usize) -> Self {
        let answer = fitting(answer, capacity);
        let mut plan = Self {
            framing: answer.framing(request.body_length()),
            answer,
            version: request.version(),
            head_only: request.asks_for_head(),
            persists: request.persists(),
            begun: false,
            continue_due: false,
            skips_body: false,
        };
        let uses_body = plan.wants_body() || plan.is_pending();
        plan.continue_due = request.expects_continue() && uses_body;
        plan.skips_body = request.expects_continue() && !uses_body;
        plan.persists &= !plan.skips_body;
        plan
    }

    /// A plan for a request that broke a rule: the answer says which.
    pub(crate) fn error(error: Error, head_only: bool) -> Self {
        let answer = Answer::text(error.status(), error.rule());
        Self {
            framing: answer.framing(Framing::None),
            answer,
            version: Version::Http11,
            head_only,
            persists: false,
            begun: false,
            continue_due: false,
            skips_body: true,
        }
    }

    /// Whether the request's content is sent back.
    pub(crate) const fn wants_body(&self) -> bool {
        matches!(self.answer.content, Content::RequestBody) && self.has_content()
    }

    /// Whether the service answers only after it has been given the request's content.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.answer.content, Content::Pending)
    }

    /// The request's content is over: asks for the answer, if that waited for it.
    pub(crate) fn conclude(&mut self, service: &mut impl Service, capacity: usize) {
        if self.is_pending() {
            self.answer = fitting(service.conclude(), capacity);
            self.framing = self.answer.framing(Framing::None);
        }
    }

    /// Invites the client to send the body, if it waits for that and has not begun. `false` if
    /// there is no room for the invitation.
    pub(crate) fn invite(&mut self, input: &Buffer, output: &mut Buffer) -> bool {
        let due = std::mem::take(&mut self.continue_due) && input.is_empty();
        self.continue_due = due && !output.push_all(CONTINUE);
        !self.continue_due
    }

    const fn has_content(&self) -> bool {
        !self.head_only && !self.answer.status.forbids_content()
    }

    /// Room that is enough for what is still to be written of the head.
    pub(crate) fn head_room(&self) -> usize {
        if self.begun { 0 } else { self.answer.head_room() }
    }

    /// Writes the head. From here on the answer can't be changed.
    pub(crate) fn write_head(
        &mut self,
        closing: bool,
        service: &mut impl Service,
        output: &mut Buffer,
    ) {
        self.begun = true;
        self.persists &= !closing;
        let persistence = match self.version {
            _ if !self.persists => Persistence::Close,
            Version::Http10 => Persistence::KeepAlive,
            Version::Http11 => Persistence::Usual,
        };
        self.answer.write_head(self.framing, persistence, service.date(), output);
    }

    /// The content that follows the head.
    pub(crate) fn take_content(&mut self) -> Content {
        let content = std::mem::replace(&mut self.answer.content, Content::Empty);
        if self.has_content() { content } else { Content::Empty }
    }

    /// What follows the last octet of content that was sent back.
    pub(crate) const fn end_of_content(&self) -> &'static [u8] {
        match self.framing {
            Framing::Chunked => b"0\r\n\r\n",
            Framing::None | Framing::Length(_) => b"",
        }
    }
}

/// The answer, or a short one in place of one whose head never fits into the output.
fn fitting(answer: Answer, capacity: usize) -> Answer {
    let fits = answer.head_room() + CHUNK_LINE <= capacity;
    if fits { answer } else { Answer::empty(StatusCode::INTERNAL_SERVER_ERROR) }
}
