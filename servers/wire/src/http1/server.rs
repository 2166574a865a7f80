//! The server's side: requests in, a service asked, its answers out.
//!
//! ```text
//!   Head ─┬───────────────────────────────────> Answering ──> Sending ─┐
//!         ├─> Dropping, the body ───────────────^                      ├─> Head, or Finished
//!         └─> Echoing, the answer's head and the body as it comes ─────┘
//! ```
//!
//! A broken rule leads to Answering as well, or straight to Finished where an answer has begun.
//!
//! An answer that does not want the request's content waits until all of that is read and dropped:
//! then no octet of it can be taken for a request, and a broken chunk still gets a clean 400. An
//! answer that depends on the content waits in the same way, and its service is given the octets.
//! One that sends the content back begins with the first octet, so it needs no memory of its own.

use super::body::{Body, Part};
use super::plan::Plan;
use super::request::RequestHead;
use super::response::{CHUNK_LINE, write_chunk_line};
use super::sending::Sending;
use super::{Answer, Error, Limits, Request, StatusCode};
use crate::{Buffer, Protocol, Stage, Status};

/// Empty lines that may stand before a request line, left by a careless client (RFC 9112, 2.2).
const EMPTY_LINES: u32 = 2;

/// What a server is for.
pub trait Service {
    /// Answers a request, of which only the head has been read.
    ///
    /// If the client waits for a `100 Continue`, it gets one only if the answer's content is
    /// [`RequestBody`](super::Content::RequestBody) or [`Pending`](super::Content::Pending);
    /// otherwise it gets the answer in its place, and the connection ends.
    fn answer(&mut self, request: &Request<'_>) -> Answer;

    /// Takes the next octets of the request's content, if the answer is
    /// [`Pending`](super::Content::Pending).
    fn content(&mut self, octets: &[u8]) {
        let _ = octets;
    }

    /// Answers a request of which everything has been read, if the first answer was
    /// [`Pending`](super::Content::Pending). This one can't be, and can't send the content back.
    fn conclude(&mut self) -> Answer {
        Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The time for the `Date` field, as an IMF-fixdate (RFC 9110, 5.6.7). Asked once a response.
    /// A server without a clock leaves the field out.
    fn date(&mut self) -> Option<[u8; 29]> {
        None
    }
}

/// The server's side of a connection.
///
/// An output buffer must hold at least [`LEAST_OUTPUT`](super::LEAST_OUTPUT) octets. An answer
/// whose own fields don't fit in there with the rest of its head is replaced by an empty 500.
#[derive(Debug)]
pub struct Server<S> {
    service: S,
    limits: Limits,
    phase: Phase,
    /// Empty lines before the current request.
    empty_lines: u32,
    closing: bool,
    /// A request was given up before its end, so the client may still be sending it.
    abandoned: bool,
    answered: u64,
}

/// What is being done.
#[derive(Debug)]
enum Phase {
    /// A head is read, or waited for.
    Head(RequestHead),
    /// A body is read that is not sent back.
    Dropping(Body, Plan),
    /// A body is read and sent back.
    Echoing(Body, Plan),
    /// A head is written.
    Answering(Plan),
    /// The content after it is sent.
    Sending(Sending),
    /// Nothing follows.
    Finished,
}

/// Whether another step can follow at once.
enum Step {
    Again,
    Wait,
}

impl<S: Service> Server<S> {
    /// A server at the start of a connection.
    pub fn new(service: S, limits: Limits) -> Self {
        let phase = Phase::Head(RequestHead::default());
        Self {
            service,
            limits,
            phase,
            empty_lines: 0,
            closing: false,
            abandoned: false,
            answered: 0,
        }
    }

    /// The service.
    pub const fn service(&self) -> &S {
        &self.service
    }

    /// The service, to change it.
    pub const fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// Does the next thing, if the buffers allow it.
    fn step(&mut self, input: &mut Buffer, output: &mut Buffer) -> Result<Step, Error> {
        match &mut self.phase {
            Phase::Head(_) => self.read_head(input, output),
            Phase::Dropping(..) => self.drop_body(input, output),
            Phase::Echoing(..) => self.echo_body(input, output),
            Phase::Answering(_) => Ok(self.answer_planned(output)),
            Phase::Sending(_) => Ok(self.send_rest(output)),
            Phase::Finished => Ok(Step::Wait),
        }
    }

    fn read_head(&mut self, input: &mut Buffer, output: &mut Buffer) -> Result<Step, Error> {
        let Phase::Head(head) = &mut self.phase else { return Ok(Step::Again) };
        while self.empty_lines < EMPTY_LINES && input.filled().starts_with(b"\r\n") {
            input.consume(2);
            self.empty_lines += 1;
            *head = RequestHead::default();
        }
        let Some(request) = head.read(input.filled(), input.capacity(), &self.limits)? else {
            if self.closing && input.is_empty() {
                self.phase = Phase::Finished;
            }
            return Ok(Step::Wait);
        };
        let mut plan = Plan::new(self.service.answer(&request), &request, output.capacity());
        let body = Body::new(request.body_length(), &self.limits);
        let head_length = request.length();
        input.consume(head_length);
        self.abandoned = plan.skips_body;
        if plan.skips_body || body.is_over() {
            plan.conclude(&mut self.service, output.capacity());
            return Ok(self.answer(plan, output));
        }
        self.phase = if plan.wants_body() {
            Phase::Echoing(body, plan)
        } else {
            Phase::Dropping(body, plan)
        };
        Ok(Step::Again)
    }

    fn drop_body(&mut self, input: &mut Buffer, output: &mut Buffer) -> Result<Step, Error> {
        let Phase::Dropping(body, plan) = &mut self.phase else { return Ok(Step::Again) };
        if !plan.invite(input, output) {
            return Ok(Step::Wait);
        }
        match body.next(input)? {
            Part::Incomplete => return Ok(Step::Wait),
            Part::Chunk(_) | Part::ChunkEnd => {}
            Part::Content(count) => {
                if plan.is_pending() {
                    self.service.content(&input.filled()[..count]);
                }
                input.consume(count);
                body.took(count);
            }
            Part::End => {
                if let Phase::Dropping(_, mut plan) = self.take_phase() {
                    plan.conclude(&mut self.service, output.capacity());
                    self.phase = Phase::Answering(plan);
                }
            }
        }
        Ok(Step::Again)
    }

    fn echo_body(&mut self, input: &mut Buffer, output: &mut Buffer) -> Result<Step, Error> {
        let Phase::Echoing(body, plan) = &mut self.phase else { return Ok(Step::Again) };
        if !plan.invite(input, output) || !output.reserve(plan.head_room() + CHUNK_LINE) {
            return Ok(Step::Wait);
        }
        let part = body.next(input)?;
        if part == Part::Incomplete {
            return Ok(Step::Wait);
        }
        if !plan.begun {
            plan.write_head(self.closing, &mut self.service, output);
        }
        match part {
            Part::Incomplete => {}
            Part::Chunk(size) => write_chunk_line(size, output),
            Part::Content(count) => body.took(take(count, input, output)),
            Part::ChunkEnd => _ = output.push(b"\r\n"),
            Part::End => {
                output.push(plan.end_of_content());
                let persists = plan.persists;
                self.complete(persists);
            }
        }
        Ok(Step::Again)
    }

    fn answer_planned(&mut self, output: &mut Buffer) -> Step {
        match self.take_phase() {
            Phase::Answering(plan) => self.answer(plan, output),
            other => {
                self.phase = other;
                Step::Again
            }
        }
    }

    /// Writes the head and what there is room for of the content. In the usual case that is all,
    /// and the plan never has to be kept.
    fn answer(&mut self, mut plan: Plan, output: &mut Buffer) -> Step {
        if !output.reserve(plan.head_room()) {
            self.phase = Phase::Answering(plan);
            return Step::Wait;
        }
        plan.write_head(self.closing, &mut self.service, output);
        self.send(Sending::new(plan.take_content(), plan.persists), output)
    }

    fn send(&mut self, mut sending: Sending, output: &mut Buffer) -> Step {
        if !sending.send(output) {
            self.phase = Phase::Sending(sending);
            return Step::Wait;
        }
        self.complete(sending.persists);
        Step::Again
    }

    fn send_rest(&mut self, output: &mut Buffer) -> Step {
        let Phase::Sending(sending) = &mut self.phase else { return Step::Again };
        if !sending.send(output) {
            return Step::Wait;
        }
        let persists = sending.persists;
        self.complete(persists);
        Step::Again
    }

    /// Counts an answer, and goes on to the next request or to the end.
    fn complete(&mut self, persists: bool) {
        self.answered += 1;
        self.empty_lines = 0;
        self.phase = if persists { Phase::Head(RequestHead::default()) } else { Phase::Finished };
    }

    /// Answers with an error, or breaks off if an answer has begun.
    fn fail(&mut self, error: Error) {
        self.abandoned = true;
        self.phase = match self.take_phase() {
            Phase::Head(head) => Phase::Answering(Plan::error(error, head.asks_for_head())),
            Phase::Dropping(_, plan) | Phase::Echoing(_, plan) if !plan.begun => {
                Phase::Answering(Plan::error(error, plan.head_only))
            }
            _ => Phase::Finished,
        };
    }

    const fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Finished)
    }
}

impl<S: Service> Protocol for Server<S> {
    fn advance(&mut self, input: &mut Buffer, output: &mut Buffer) -> Status {
        loop {
            match self.step(input, output) {
                Ok(Step::Again) => {}
                Ok(Step::Wait) => break,
                Err(error) => self.fail(error),
            }
        }
        if matches!(self.phase, Phase::Finished) { Status::Finished } else { Status::Open }
    }

    fn stage(&self) -> Stage {
        match self.phase {
            Phase::Finished if self.abandoned => Stage::Within,
            Phase::Head(_) | Phase::Finished => Stage::Between,
            _ => Stage::Within,
        }
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn close_soon(&mut self) {
        self.closing = true;
    }

    /// Answers 408 if a request has begun to come in and no response to it has begun.
    fn expire(&mut self, output: &mut Buffer) {
        let waits = match &self.phase {
            Phase::Head(head) => head.begun(),
            Phase::Dropping(..) | Phase::Echoing(..) => true,
            Phase::Answering(_) | Phase::Sending(_) | Phase::Finished => false,
        };
        if waits {
            self.fail(Error::TimedOut);
            self.answer_planned(output);
        }
        self.phase = Phase::Finished;
    }

    fn outside(&self) -> u64 {
        match &self.phase {
            Phase::Sending(sending) => sending.outside(),
            _ => 0,
        }
    }

    fn sent_outside(&mut self, octets: u64) {
        let Phase::Sending(sending) = &mut self.phase else { return };
        if sending.sent_outside(octets) {
            let persists = sending.persists;
            self.complete(persists);
        }
    }
}

/// Moves at most `count` octets, as many as there is room for, and says how many.
fn take(count: usize, input: &mut Buffer, output: &mut Buffer) -> usize {
    let count = output.push(&input.filled()[..count]);
    input.consume(count);
    count
}
