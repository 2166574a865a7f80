//! The protocols, without sockets.
//!
//! *Sans-IO* means that nothing here reads, writes, waits or looks at a clock. A protocol is a
//! state machine: octets come in through one [`Buffer`], octets go out through another, and the
//! caller decides how they travel. So the same machine runs under a blocking thread, under
//! select(2) and under an edge-triggered epoll(7), and a difference between two of those is a
//! difference in waiting and in nothing else. It is also why each fixture can be tried at every
//! split point.
//!
//! - [`echo`] sends back what it receives.
//! - [`fixed`] gives the same reply to each message of a fixed length.
//! - [`http1`] is HTTP/1.1 (RFC 9110 and RFC 9112), the server's side and its mirror, the client's.

#![forbid(unsafe_code)]

mod buffer;
pub mod echo;
pub mod fixed;
pub mod http1;

pub use buffer::Buffer;

/// Whether a protocol goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// More may come.
    Open,
    /// The protocol is over: what is in the output is the last of it.
    Finished,
}

/// Where in a conversation a protocol stands, for the one who keeps its deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Between two messages. A peer may stay here as long as the idle time-out allows.
    Between,
    /// Inside a message whose head has been read. A peer must go on sending. When the protocol is
    /// over, this says that it gave up on a message that the peer may still be sending.
    Within,
}

/// One side of a conversation, driven by whoever owns the socket.
pub trait Protocol {
    /// Consumes what it understands of `input`, and appends what it answers to `output`.
    ///
    /// Stops when `input` holds no further complete step or `output` has no room for one; so
    /// back-pressure needs no code of its own: a peer that does not read its answers is not read
    /// from.
    fn advance(&mut self, input: &mut Buffer, output: &mut Buffer) -> Status;

    /// Where the conversation stands.
    fn stage(&self) -> Stage;

    /// How many messages have been answered since the start.
    fn answered(&self) -> u64;

    /// Asks for an end at the next boundary between messages: the server wants to stop.
    fn close_soon(&mut self);

    /// The peer let its deadline pass. A protocol that has words for that appends them to `output`.
    /// It is over afterwards.
    fn expire(&mut self, output: &mut Buffer);

    /// Octets that follow those in `output` on the wire, but come from elsewhere (a file that the
    /// kernel copies). While this is not 0, [`advance`](Self::advance) appends nothing.
    fn outside(&self) -> u64 {
        0
    }

    /// Reports that `octets` of [`outside`](Self::outside) have been sent.
    fn sent_outside(&mut self, octets: u64) {
        let _ = octets;
    }
}
