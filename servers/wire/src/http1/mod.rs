//! HTTP/1.1 (RFC 9110 for the meaning, RFC 9112 for the octets): a server and a client machine.
//!
//! ```text
//!   server: asks a `Service`, writes its `Answer`s          client: reads `Reply`s
//!   plan          an answer on its way                      reply    the head of a reply
//!   response      an answer, and how its head is written
//!   sending       content that follows the head
//!   request       the head of a request
//!   request_line  its first line
//!   demands       its fields for the server: Host, Expect
//!                                       both
//!                 fields    length, coding and connection, in any head
//!                 head      lines, and fields within lines, found as they come in
//!                 body      content by length or in chunks
//!                 grammar   which octets may stand where
//! ```
//!
//! Both machines are strict. Where two readers could disagree on where a message ends (a bare LF, a
//! folded line, two lengths, a length beside a coding) there is no message, only an [`Error`]: that
//! is what keeps one request from being smuggled inside another (RFC 9112, 11.2). Each rule is a
//! variant of [`Error`].
//!
//! Nothing depends on how the octets were cut on their way: a line is judged when its LF is there,
//! never before, and a limit counts octets of the stream, not of a read. The one thing that a cut
//! changes is whether a `100 Continue` is still worth sending.

mod body;
mod client;
mod demands;
mod error;
mod fields;
pub mod gateway;
mod grammar;
mod head;
mod plan;
mod reply;
mod request;
mod request_line;
mod response;
mod sending;
mod server;
mod status;

pub use client::{Client, Reply, RequestMethod};
pub use error::Error;
pub use request::Request;
pub use response::{Answer, Content, LEAST_OUTPUT};
pub use server::{Server, Service};
pub use status::StatusCode;

/// How much of a message is accepted. Beyond that it is an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a whole head, and again of all chunk extensions and trailers of one body. A head
    /// must fit in the input buffer too, whatever is said here.
    pub head: usize,
    /// Octets of a request target.
    pub target: usize,
    /// Field lines of a head, and again of a trailer.
    pub fields: usize,
    /// Octets of content of one message.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 8 << 10, target: 4 << 10, fields: 100, body: 8 << 20 }
    }
}

/// The version that a message follows. A higher minor version counts as 1.1 (RFC 9110, 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: one message a connection, unless both sides say otherwise.
    Http10,
    /// HTTP/1.1: the connection stays, unless one side says otherwise.
    Http11,
}

/// How the end of a message's content is found (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no content.
    None,
    /// As many octets as `Content-Length` says.
    Length(u64),
    /// In chunks, up to the empty one.
    Chunked,
}
