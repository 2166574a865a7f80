//! The client's side: replies out of octets.

use std::collections::VecDeque;

use super::body::{Body, Part};
use super::reply::{ReplyHead, Whole};
use super::{Error, Framing, Limits};
use crate::Buffer;

/// Interim replies before a final one that a client puts up with.
const INTERIM_REPLIES: u32 = 16;

/// What a client must know of a request to read its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestMethod {
    /// HEAD: the reply has no content, whatever its head says.
    Head,
    /// Any other.
    Other,
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Octets of content.
    pub body_octets: u64,
    /// Whether another request may be sent on the connection. After `false` nothing more is read.
    pub keep_alive: bool,
}

/// Reads replies, in the order of the requests.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    /// The requests whose replies are not complete, the oldest first.
    outstanding: VecDeque<RequestMethod>,
    phase: Phase,
    interim: u32,
}

/// What the next octets belong to.
#[derive(Debug)]
enum Phase {
    Head(ReplyHead),
    Body(Body, Reply),
    /// Content up to the end of the connection.
    Rest(Reply),
    Finished,
}

/// What one step has led to.
enum Step {
    Again,
    Wait,
    Done(Reply),
}

impl Client {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let outstanding = VecDeque::with_capacity(16);
        Self { limits, outstanding, phase: Phase::Head(ReplyHead::default()), interim: 0 }
    }

    /// Says that a request has been sent. Its reply is read after those to the requests before it.
    pub fn sent(&mut self, method: RequestMethod) {
        self.outstanding.push_back(method);
    }

    /// Reads up to the end of the next reply, which it returns. `None` says that `input` holds no
    /// whole one: call again when there is more. An incomplete head is left in `input`; content is
    /// given to `body` as it comes, piece by piece.
    ///
    /// # Errors
    /// The rule that the server has broken. The connection can't be used any more.
    pub fn advance(
        &mut self,
        input: &mut Buffer,
        body: &mut impl FnMut(&[u8]),
    ) -> Result<Option<Reply>, Error> {
        loop {
            let step = match &mut self.phase {
                Phase::Head(_) => self.head(input)?,
                Phase::Body(..) => self.body(input, body)?,
                Phase::Rest(..) => self.rest(input, body)?,
                Phase::Finished if input.is_empty() => Step::Wait,
                Phase::Finished => return Err(Error::Unasked),
            };
            match step {
                Step::Again => {}
                Step::Wait => return Ok(None),
                Step::Done(reply) => return Ok(Some(self.done(reply))),
            }
        }
    }

    /// Says that the server has closed the connection and that `input` was read to its end. Returns
    /// the reply that ends with it, if there is one.
    ///
    /// # Errors
    /// [`Error::NoReply`] or [`Error::CutShort`] if a reply is missing.
    pub fn end_of_input(&mut self) -> Result<Option<Reply>, Error> {
        match std::mem::replace(&mut self.phase, Phase::Finished) {
            Phase::Rest(reply) => Ok(Some(self.done(reply))),
            Phase::Body(..) => Err(Error::CutShort),
            Phase::Head(head) if head.begun() => Err(Error::CutShort),
            Phase::Head(_) | Phase::Finished if self.outstanding.is_empty() => Ok(None),
            Phase::Head(_) | Phase::Finished => Err(Error::NoReply),
        }
    }

    /// How many requests wait for their replies.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    fn head(&mut self, input: &mut Buffer) -> Result<Step, Error> {
        let Phase::Head(head) = &mut self.phase else { return Ok(Step::Again) };
        if input.is_empty() {
            return Ok(Step::Wait);
        }
        let Some(&method) = self.outstanding.front() else { return Err(Error::Unasked) };
        let Some(whole) = head.read(input.filled(), input.capacity(), &self.limits)? else {
            return Ok(Step::Wait);
        };
        input.consume(whole.length);
        self.begin(method, &whole)
    }

    fn begin(&mut self, method: RequestMethod, whole: &Whole) -> Result<Step, Error> {
        let reply = Reply { status: whole.status, body_octets: 0, keep_alive: whole.persists };
        match whole.status {
            101 => return Err(Error::UnaskedUpgrade),
            100..=199 => return self.interim(),
            204 | 304 => return Ok(Step::Done(reply)),
            _ if method == RequestMethod::Head => return Ok(Step::Done(reply)),
            _ => {}
        }
        self.phase = match whole.framing {
            Framing::None => Phase::Rest(Reply { keep_alive: false, ..reply }),
            Framing::Length(0) => return Ok(Step::Done(reply)),
            Framing::Length(length) if length > self.limits.body => {
                return Err(Error::BodyTooLarge);
            }
            framing => Phase::Body(Body::new(framing, &self.limits), reply),
        };
        Ok(Step::Again)
    }

    fn interim(&mut self) -> Result<Step, Error> {
        self.interim += 1;
        self.phase = Phase::Head(ReplyHead::default());
        if self.interim > INTERIM_REPLIES { Err(Error::TooManyInterim) } else { Ok(Step::Again) }
    }

    fn body(&mut self, input: &mut Buffer, sink: &mut impl FnMut(&[u8])) -> Result<Step, Error> {
        let Phase::Body(body, reply) = &mut self.phase else { return Ok(Step::Again) };
        match body.next(input)? {
            Part::Incomplete => return Ok(Step::Wait),
            Part::End => return Ok(Step::Done(*reply)),
            Part::Chunk(_) | Part::ChunkEnd => {}
            Part::Content(count) => {
                sink(&input.filled()[..count]);
                input.consume(count);
                body.took(count);
                reply.body_octets += count as u64;
            }
        }
        Ok(Step::Again)
    }

    fn rest(&mut self, input: &mut Buffer, sink: &mut impl FnMut(&[u8])) -> Result<Step, Error> {
        let Phase::Rest(reply) = &mut self.phase else { return Ok(Step::Again) };
        let allowed = self.limits.body - reply.body_octets;
        let count = usize::try_from(allowed).map_or(input.len(), |most| most.min(input.len()));
        sink(&input.filled()[..count]);
        input.consume(count);
        reply.body_octets += count as u64;
        if input.is_empty() { Ok(Step::Wait) } else { Err(Error::BodyTooLarge) }
    }

    fn done(&mut self, reply: Reply) -> Reply {
        self.outstanding.pop_front();
        self.interim = 0;
        self.phase =
            if reply.keep_alive { Phase::Head(ReplyHead::default()) } else { Phase::Finished };
        reply
    }
}
