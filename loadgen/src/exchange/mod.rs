//! What is said over a connection: the octets of a request, and where its reply ends.
//!
//! An exchange owns no socket and knows no time. It is made once for a run and shared by all
//! threads; what it remembers of one connection is a [`Dialogue`](Exchange::Dialogue), which the
//! engine keeps in that connection's slot. The engine is generic over the exchange, so nothing here
//! is a virtual call.
//!
//! Several requests may be out on a connection; their replies come in the same order (RFC 9112,
//! section 9.3.2). So an exchange hears of a request twice: when it is sent, and when all replies
//! before its own are complete. A request is known by its `seed` alone: nothing of it is kept.

mod check;
mod echo;
mod fixed;
mod http;
mod id;

pub use echo::Echo;
pub use fixed::Fixed;
pub use http::Http;
use wire::Buffer;

use crate::fault::Fault;

/// One protocol, seen from the client.
pub trait Exchange: Sync {
    /// What has to be remembered of a connection between two reads.
    type Dialogue: Default + Send;

    /// All octets of a request that was begun. `seed` differs from request to request; `Last`
    /// tells the other side, where the protocol has words for that, that the connection then ends.
    fn request<'a>(&'a self, dialogue: &'a Self::Dialogue, seed: u64, turn: Turn) -> &'a [u8];

    /// Says that a request is about to be sent.
    fn begin(&self, dialogue: &mut Self::Dialogue, seed: u64, turn: Turn);

    /// Says that the next octets of the input belong to the reply to this request.
    fn expect(&self, dialogue: &mut Self::Dialogue, seed: u64);

    /// Prepares `input` for the next read: what an earlier one left over comes first.
    fn resume(&self, dialogue: &mut Self::Dialogue, input: &mut Buffer);

    /// Takes what was read, up to the end of the reply.
    fn receive(&self, dialogue: &mut Self::Dialogue, input: &mut Buffer) -> Step;

    /// Takes the end of the input, which may be what a reply waited for.
    fn end_of_input(&self, dialogue: &mut Self::Dialogue) -> Step;
}

/// Whether a request is the last one of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Others follow.
    More,
    /// None follows.
    Last,
}

/// Where a reply stands after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Octets are missing.
    Partial,
    /// It is complete and right.
    Answered(Then),
    /// It is not what it had to be.
    Failed(Fault, Then),
}

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It takes the next request.
    Reuse,
    /// It is at its end.
    Close,
}
