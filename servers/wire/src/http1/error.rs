//! What can be wrong with a message: one variant a rule.

use std::fmt;

use super::StatusCode;

/// Builds [`Error`] from one table, so that a rule, its status and its words can't drift apart.
macro_rules! rules {
    ($($name:ident $status:ident $rule:literal,)*) => {
        /// A rule that a peer has broken. What it said after that can't be trusted: the connection
        /// ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Error {
            $(#[doc = concat!("Broken rule: ", $rule, ".")] $name,)*
        }

        impl Error {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The status that a server answers (and a proxy, where a server broke the rule: 502).
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The rule in words.
            #[must_use]
            pub const fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }
        }
    };
}

rules! {
    BareLf BAD_REQUEST "a line ends with CR LF, not with LF alone",
    BareCr BAD_REQUEST "CR stands only before LF",
    ControlCharacter BAD_REQUEST "a line has no control characters but HTAB",
    Folded BAD_REQUEST "a field line does not begin with white space",
    MissingColon BAD_REQUEST "a field line is a name, a colon and a value",
    EmptyName BAD_REQUEST "a field name is not empty",
    SpaceInName BAD_REQUEST "there is no white space in a field name or before its colon",
    BadName BAD_REQUEST "a field name is a token",

    BadRequestLine BAD_REQUEST
        "a request line is a method, a target and a version, one space apart",
    BadVersion BAD_REQUEST "a version is HTTP/ in capitals, a digit, a dot and a digit",
    UnsupportedVersion HTTP_VERSION_NOT_SUPPORTED "the version is HTTP/1.0 or HTTP/1.1",
    BadMethod BAD_REQUEST "a method is a token",
    UnknownMethod NOT_IMPLEMENTED
        "the method is one of GET, HEAD, POST, PUT, DELETE, OPTIONS and PATCH",
    BadTarget BAD_REQUEST "a target is a path, an http URI, or * for OPTIONS",
    TargetTooLong URI_TOO_LONG "a target is no longer than this server's limit",

    MissingHost BAD_REQUEST "a request of HTTP/1.1 has a Host field",
    RepeatedHost BAD_REQUEST "there is only one Host field",
    BadHost BAD_REQUEST "a Host is a name or an address, and perhaps a port",
    UnknownExpectation EXPECTATION_FAILED "the only expectation is 100-continue",

    BadLength BAD_REQUEST "a Content-Length is decimal digits",
    LengthOverflow BAD_REQUEST "a Content-Length is less than 2^64",
    RepeatedLength BAD_REQUEST "there is only one Content-Length field",
    LengthAndCoding BAD_REQUEST "Content-Length and Transfer-Encoding are never together",
    RepeatedCoding BAD_REQUEST "there is only one Transfer-Encoding field",
    CodingInHttp10 BAD_REQUEST "Transfer-Encoding is not for HTTP/1.0",
    NotChunked BAD_REQUEST "the last transfer coding is chunked, and no other one is",
    UnknownCoding NOT_IMPLEMENTED "the only transfer coding is chunked",

    HeadTooLarge HEADER_FIELDS_TOO_LARGE "a head is no larger than the limit",
    TooManyFields HEADER_FIELDS_TOO_LARGE "there are no more fields than the limit",
    BodyTooLarge CONTENT_TOO_LARGE "a body is no larger than the limit",

    BadChunkSize BAD_REQUEST "a chunk size is hexadecimal digits, followed by CR LF or ;",
    ChunkOverflow BAD_REQUEST "a chunk size is less than 2^64",
    ChunkLineTooLong BAD_REQUEST "chunk extensions are no larger than the limit",
    ChunkEnd BAD_REQUEST "CR LF follows the octets of a chunk",
    TrailerTooLarge HEADER_FIELDS_TOO_LARGE "a trailer is no larger than the limit",

    TimedOut REQUEST_TIMEOUT "a request arrives in time",

    BadStatusLine BAD_GATEWAY "a status line is HTTP/1.1, a status of three digits and a reason",
    Unasked BAD_GATEWAY "a reply follows a request",
    UnaskedUpgrade BAD_GATEWAY "a switch of protocols follows a request for it",
    TooManyInterim BAD_GATEWAY "a final reply follows after a few interim ones",
    NoReply BAD_GATEWAY "a connection is not closed before the reply",
    CutShort BAD_GATEWAY "a connection is not closed within a reply",
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken rule: {}", self.rule())
    }
}

impl std::error::Error for Error {}
