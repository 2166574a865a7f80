//! The life of one connection, whatever the I/O model.
//!
//! ```text
//!            the protocol goes on        it is over         the peer may still be sending
//!   Open ───────────────────────▶ Finishing ─────────────▶ Lingering ──▶ Over
//!     └──────── the peer has closed, and all is answered ─────────────────▲
//! ```
//!
//! A connection wants one thing at a time: to write while it owes something, else to read. That
//! makes it half-duplex, so that blocking code can drive it as it is; and it is all the
//! back-pressure there is: a peer that does not read its answers is not read from.
//!
//! *Lingering* (RFC 9112, section 9.6): closing a socket while the peer still sends makes the
//! kernel answer with a reset, and the reset may overtake our last words. So we close our direction
//! first, and drop what still comes, up to a limit. That costs two system calls, and is done where
//! it is likely to matter: when the peer is seen to be sending, and when our last words took more
//! than one write, so that much of them may still be on its way.

use std::io;

use wire::{Buffer, Protocol, Stage, Status};

use crate::buffers::Buffers;
use crate::control::{Patience, Phase, Span, Ticks};
use crate::worker::Worker;

/// How much of a peer's further sending is dropped before the connection is closed all the same.
const LINGER_OCTETS_MAX: usize = 256 * 1024;

/// What is wanted of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// To read from the peer.
    Read,
    /// To write to the peer.
    Write,
    /// Whichever comes first.
    Either,
    /// To read the end: what comes before it somebody else takes. Who can't tell an end from octets
    /// waits for both.
    End,
}

impl Interest {
    /// That in reading, writing, or both; `None` when it is neither.
    #[must_use]
    pub const fn of(read: bool, write: bool) -> Option<Self> {
        match (read, write) {
            (true, true) => Some(Self::Either),
            (true, false) => Some(Self::Read),
            (false, true) => Some(Self::Write),
            (false, false) => None,
        }
    }

    /// Whether reading is wanted.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Either | Self::End)
    }

    /// Whether writing is wanted.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Either)
    }
}

/// What a read or a write said about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It moved all it could hold or had: the next one may move more.
    More,
    /// It moved less than that, or nothing: the next one would find nothing to do (epoll(7), Q9).
    Dry,
}

/// What a connection waits for, and so how long it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For a message to begin.
    Idle,
    /// For the rest of a message's head.
    Head,
    /// For more of a message's body.
    Body,
    /// For the peer to read.
    Room,
    /// For the peer to stop sending.
    Linger,
    /// For a backend to accept a connection.
    Connect,
    /// For a backend to answer.
    Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    Finishing,
    Lingering { dropped: usize },
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Sending,
    Closed,
}

/// A conversation and the octets on their way in and out of it; but not the socket.
#[derive(Debug)]
pub struct Connection<P> {
    protocol: P,
    input: Option<Buffer>,
    output: Option<Buffer>,
    life: Life,
    peer: Peer,
    wait: Wait,
    since: Ticks,
    /// How many writes there have been since the last read.
    writes: u32,
}

impl<P: Protocol> Connection<P> {
    /// A connection that was made at `now`.
    #[must_use]
    pub fn new(protocol: P, now: Ticks) -> Self {
        Self {
            protocol,
            input: None,
            output: None,
            life: Life::Open,
            peer: Peer::Sending,
            wait: Wait::Idle,
            since: now,
            writes: 0,
        }
    }

    /// The protocol that is spoken.
    pub fn protocol(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// What it wants, or `None` when it is over.
    #[must_use]
    pub fn interest(&self) -> Option<Interest> {
        match self.life {
            Life::Over => None,
            _ if self.owes() => Some(Interest::Write),
            _ => Some(Interest::Read),
        }
    }

    /// What it waits for.
    #[must_use]
    pub fn wait(&self) -> Wait {
        self.wait
    }

    /// Whether it has said its last word and only waits for the peer to stop sending.
    #[must_use]
    pub fn lingers(&self) -> bool {
        matches!(self.life, Life::Lingering { .. })
    }

    /// Until when it may go on waiting.
    #[must_use]
    pub fn deadline(&self, patience: &Patience) -> Ticks {
        self.since.after(self.span(patience))
    }

    fn span(&self, patience: &Patience) -> Span {
        match self.wait {
            Wait::Idle => patience.idle,
            Wait::Head => patience.head,
            Wait::Body => patience.body,
            Wait::Room => patience.write,
            Wait::Linger => patience.linger,
            // Those are waits of a session with two sockets, which keeps them itself.
            Wait::Connect | Wait::Reply => patience.idle,
        }
    }

    /// Where a read puts what it finds. What came is to be told by [`received`](Self::received).
    pub fn spare(&mut self, worker: &mut Worker<'_>) -> &mut [u8] {
        self.input.get_or_insert_with(|| worker.buffers.lend()).spare()
    }

    /// A read into [`spare`](Self::spare) is over: takes the conversation as far as it goes with
    /// that.
    ///
    /// # Errors
    /// What the read says, except that it would have to wait.
    pub fn received(
        &mut self,
        count: io::Result<usize>,
        worker: &mut Worker<'_>,
    ) -> io::Result<Flow> {
        let mut input = self.input.take().unwrap_or_else(|| worker.buffers.lend());
        let count = match count {
            Ok(count) => count,
            Err(error) => {
                self.input = keep(input, &mut worker.buffers);
                return calm(error);
            }
        };
        if count == 0 {
            self.peer = Peer::Closed;
        }
        self.writes = 0;
        let room = input.spare().len();
        input.commit(count);
        worker.counters.octets_in.add(count as u64);
        if worker.control.phase() != Phase::Serving {
            // Whatever it is, it is the last: so its answer says (RFC 9112, section 9.6).
            self.protocol.close_soon();
        }
        self.drop_if_lingering(&mut input);
        self.advance(input, worker);
        Ok(if count == room { Flow::More } else { Flow::Dry })
    }

    /// What a write takes. How much went is to be told by [`sent`](Self::sent).
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.as_ref().map_or(&[], Buffer::filled)
    }

    /// A write of [`output`](Self::output) is over; when all is written, takes the conversation on.
    ///
    /// # Errors
    /// What the write says, except that it would have to wait.
    pub fn sent(&mut self, count: io::Result<usize>, worker: &mut Worker<'_>) -> io::Result<Flow> {
        let Some(output) = &mut self.output else { return Ok(Flow::More) };
        match count {
            Ok(count) => {
                output.consume(count);
                worker.counters.octets_out.add(count as u64);
            }
            Err(error) => return calm(error),
        }
        Ok(self.written(worker))
    }

    /// Takes the conversation on after something of what was owed has been written.
    pub fn written(&mut self, worker: &mut Worker<'_>) -> Flow {
        self.since = worker.control.now();
        self.writes = self.writes.saturating_add(1);
        if self.output.as_ref().is_some_and(|output| !output.is_empty()) {
            return Flow::Dry;
        }
        let input = self.input.take().unwrap_or_else(|| worker.buffers.lend());
        self.advance(input, worker);
        Flow::More
    }

    /// Ends the conversation at the next boundary between messages; at once when it is at one. The
    /// peer gets no more time by that for what it is waited for.
    pub fn close_soon(&mut self, worker: &mut Worker<'_>) {
        let (wait, since) = (self.wait, self.since);
        self.protocol.close_soon();
        let input = self.input.take().unwrap_or_else(|| worker.buffers.lend());
        self.advance(input, worker);
        if self.wait == wait {
            self.since = since;
        }
    }

    /// Its deadline has passed: says so to the peer where that can help, and finishes.
    pub fn expire(&mut self, worker: &mut Worker<'_>) {
        worker.counters.expired.count();
        if self.life != Life::Open || self.wait == Wait::Room {
            self.life = Life::Over;
            return;
        }
        let mut output = self.output.take().unwrap_or_else(|| worker.buffers.lend());
        self.protocol.expire(&mut output);
        self.life = Life::Finishing;
        self.output = keep(output, &mut worker.buffers);
        self.settle(worker);
    }

    /// Whether something waits to be written.
    fn owes(&self) -> bool {
        self.output.is_some() || self.protocol.outside() > 0
    }

    fn advance(&mut self, mut input: Buffer, worker: &mut Worker<'_>) {
        if self.life == Life::Open {
            let answered = self.protocol.answered();
            let mut output = self.output.take().unwrap_or_else(|| worker.buffers.lend());
            if self.protocol.advance(&mut input, &mut output) == Status::Finished {
                self.life = Life::Finishing;
            }
            self.output = keep(output, &mut worker.buffers);
            worker.counters.answered.add(self.protocol.answered() - answered);
        } else if let Some(output) = self.output.take_if(|output| output.is_empty()) {
            worker.buffers.take_back(output);
        }
        self.input = keep(input, &mut worker.buffers);
        self.settle(worker);
    }

    /// Goes on to the next part of its life, if it is time, and says what it waits for now.
    fn settle(&mut self, worker: &mut Worker<'_>) {
        if !self.owes() {
            self.life = match (self.life, self.peer) {
                (Life::Finishing, Peer::Sending) if self.peer_is_amid() || self.writes > 1 => {
                    Life::Lingering { dropped: self.drop_input(&mut worker.buffers) }
                }
                (Life::Open | Life::Lingering { .. }, Peer::Sending) => self.life,
                _ => Life::Over,
            };
        }
        let wait = self.waits_for();
        // A head must be complete by a fixed time, however many octets of it arrive in between.
        if wait != self.wait || !matches!(wait, Wait::Head | Wait::Linger) {
            self.since = worker.control.now();
            self.wait = wait;
        }
    }

    fn waits_for(&self) -> Wait {
        match (self.life, self.protocol.stage()) {
            _ if self.owes() => Wait::Room,
            (Life::Lingering { .. }, _) => Wait::Linger,
            (_, Stage::Within) => Wait::Body,
            (_, Stage::Between) if self.input.is_some() => Wait::Head,
            (_, Stage::Between) => Wait::Idle,
        }
    }

    /// Whether the peer seems to be in the middle of sending something that will not be answered.
    fn peer_is_amid(&self) -> bool {
        self.input.is_some() || self.protocol.stage() == Stage::Within
    }

    /// Drops what has come and nobody will read, so that there is room for more to be dropped; says
    /// how much it was.
    fn drop_input(&mut self, buffers: &mut Buffers) -> usize {
        let Some(input) = self.input.take() else { return 0 };
        let dropped = input.len();
        buffers.take_back(input);
        dropped
    }

    fn drop_if_lingering(&mut self, input: &mut Buffer) {
        if let Life::Lingering { dropped } = &mut self.life {
            *dropped += input.len();
            input.clear();
            if *dropped > LINGER_OCTETS_MAX {
                self.life = Life::Over;
            }
        }
    }
}

/// Keeps a buffer that holds something; gives an empty one back.
pub(crate) fn keep(buffer: Buffer, buffers: &mut Buffers) -> Option<Buffer> {
    if buffer.is_empty() {
        buffers.take_back(buffer);
        return None;
    }
    Some(buffer)
}

/// "Not now" and "try again" are not errors.
pub(crate) fn calm(error: io::Error) -> io::Result<Flow> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Flow::Dry),
        io::ErrorKind::Interrupted => Ok(Flow::More),
        _ => Err(error),
    }
}
