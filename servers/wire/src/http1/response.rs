//! What a service answers, and how the head of it is written.

use std::io::Write;

use super::{Framing, StatusCode};
use crate::Buffer;

/// Room that an output buffer needs at least: the head of any answer without fields of its own, its
/// content type no longer than 64 octets, and the size line of a first chunk.
pub const LEAST_OUTPUT: usize = 256;

/// Octets of a head beside reason, content type and own fields: all names, the date, the length.
const FIXED_PART: usize = 136;

/// Octets of the longest line before a chunk: 16 digits, CR and LF.
pub(crate) const CHUNK_LINE: usize = 18;

/// What a service answers to a request.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The value of `Content-Type`.
    pub content_type: Option<&'static str>,
    /// Further fields: not `Date`, `Content-Type`, `Content-Length`, `Transfer-Encoding` or
    /// `Connection`, which the server writes itself.
    pub fields: &'static [(&'static str, &'static str)],
    /// The content.
    pub content: Content,
}

/// Where the content of an answer comes from.
#[derive(Debug)]
pub enum Content {
    /// There is none.
    Empty,
    /// From the program.
    Static(&'static [u8]),
    /// Made for this answer.
    Owned(Vec<u8>),
    /// So many octets, all [`FILLER`](Self::FILLER).
    Fill(u64),
    /// The content of the request, sent back as it comes in.
    RequestBody,
    /// It depends on the content of the request, and so may the status: the service is given that
    /// content, and then asked to [conclude](super::Service::conclude).
    Pending,
    /// So many octets that the caller sends itself: see [`Protocol::outside`](crate::Protocol).
    Outside(u64),
}

impl Content {
    /// What [`Fill`](Self::Fill) fills with.
    pub const FILLER: u8 = b'x';

    /// Its length, where it does not depend on the request.
    fn length(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Static(octets) => Some(octets.len() as u64),
            Self::Owned(octets) => Some(octets.len() as u64),
            Self::Fill(length) | Self::Outside(length) => Some(*length),
            Self::RequestBody | Self::Pending => None,
        }
    }
}

impl Answer {
    /// An answer of a type, with content and no further fields.
    #[must_use]
    pub const fn new(status: StatusCode, content_type: &'static str, content: Content) -> Self {
        Self { status, content_type: Some(content_type), fields: &[], content }
    }

    /// An answer without content.
    #[must_use]
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, fields: &[], content: Content::Empty }
    }

    /// An answer in words.
    #[must_use]
    pub const fn text(status: StatusCode, words: &'static str) -> Self {
        Self::new(status, "text/plain", Content::Static(words.as_bytes()))
    }

    /// How the client will find the end of the content; `request` is how the server finds the end
    /// of the request's.
    pub(crate) fn framing(&self, request: Framing) -> Framing {
        match self.content.length() {
            _ if self.status.forbids_content() => Framing::None,
            Some(length) => Framing::Length(length),
            None if request == Framing::None => Framing::Length(0),
            None => request,
        }
    }

    /// Room that is enough for the head.
    pub(crate) fn head_room(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.len() + 4);
        FIXED_PART
            + self.status.reason().len()
            + self.content_type.map_or(0, str::len)
            + fields.sum::<usize>()
    }

    /// The content, where it is there.
    pub(crate) fn octets(&self) -> &[u8] {
        match &self.content {
            Content::Static(octets) => octets,
            Content::Owned(octets) => octets,
            _ => &[],
        }
    }

    /// Room that is enough for the head and for [`octets`](Self::octets).
    pub(crate) fn room(&self) -> usize {
        self.head_room() + self.octets().len()
    }

    /// Writes the head; `output` must have [`head_room`](Self::head_room).
    pub(crate) fn write_head(
        &self,
        framing: Framing,
        persistence: Persistence,
        date: Option<[u8; 29]>,
        output: &mut Buffer,
    ) {
        let mut head = Head::at(output.spare());
        head.status(self.status);
        if let Some(date) = date {
            head.field("Date", &date);
        }
        if let Some(content_type) = self.content_type {
            head.field("Content-Type", content_type.as_bytes());
        }
        for (name, value) in self.fields {
            head.field(name, value.as_bytes());
        }
        head.framing(framing);
        head.persistence(persistence);
        head.put(b"\r\n");
        let length = head.length();
        output.commit(length);
    }
}

/// What a response says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays, as is usual in HTTP/1.1.
    Usual,
    /// It stays, as an HTTP/1.0 client has asked for.
    KeepAlive,
    /// It ends with this response.
    Close,
}

/// A head that is being written, straight into the spare room of a buffer.
pub(crate) struct Head<'a> {
    octets: &'a mut [u8],
    length: usize,
}

impl<'a> Head<'a> {
    /// A head that goes into `octets`, which must have room for all of it.
    pub(crate) const fn at(octets: &'a mut [u8]) -> Self {
        Self { octets, length: 0 }
    }

    /// How long it is by now.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn put(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        self.octets[self.length..end].copy_from_slice(octets);
        self.length = end;
    }

    fn status(&mut self, status: StatusCode) {
        if status == StatusCode::OK {
            return self.put(b"HTTP/1.1 200 OK\r\n");
        }
        self.put(b"HTTP/1.1 ");
        self.number(status.code().into());
        self.put(b" ");
        self.put(status.reason().as_bytes());
        self.put(b"\r\n");
    }

    pub(crate) fn field(&mut self, name: &str, value: &[u8]) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    fn framing(&mut self, framing: Framing) {
        match framing {
            Framing::None => {}
            Framing::Chunked => self.put(b"Transfer-Encoding: chunked\r\n"),
            Framing::Length(length) => {
                self.put(b"Content-Length: ");
                self.number(length);
                self.put(b"\r\n");
            }
        }
    }

    pub(crate) fn persistence(&mut self, persistence: Persistence) {
        match persistence {
            Persistence::Usual => {}
            Persistence::KeepAlive => self.put(b"Connection: keep-alive\r\n"),
            Persistence::Close => self.put(b"Connection: close\r\n"),
        }
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.put(&digits[first..]);
    }
}

/// Writes the line before a chunk; `output` must have [`CHUNK_LINE`] octets of room.
pub(crate) fn write_chunk_line(size: u64, output: &mut Buffer) {
    let mut line = [0; CHUNK_LINE];
    let mut rest = &mut line[..];
    // Can't fail: 64 bits are 16 digits.
    let _ = write!(rest, "{size:x}\r\n");
    let length = CHUNK_LINE - rest.len();
    output.push(&line[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::LEAST_OUTPUT;

    const DATE: [u8; 29] = *b"Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn the_largest_head_fits_in_its_room() {
        let fields = &[("Allow", "GET, HEAD"), ("X", "")];
        let content = Content::Fill(u64::MAX);
        let status = StatusCode::HEADER_FIELDS_TOO_LARGE;
        let answer = Answer { fields, ..Answer::new(status, "text/plain", content) };
        let mut output = Buffer::new(answer.head_room());
        let framing = answer.framing(Framing::None);
        answer.write_head(framing, Persistence::KeepAlive, Some(DATE), &mut output);
        let expected = "HTTP/1.1 431 Request Header Fields Too Large\r\n\
            Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            Content-Type: text/plain\r\n\
            Allow: GET, HEAD\r\n\
            X: \r\n\
            Content-Length: 18446744073709551615\r\n\
            Connection: keep-alive\r\n\r\n";
        assert_eq!(
            output.filled().escape_ascii().to_string(),
            expected.escape_default().to_string()
        );
    }

    #[test]
    fn the_least_output_holds_a_head_and_a_chunk_line() {
        let content_type = "64 octets, more than any media type has that is used for a response.";
        let status = StatusCode::HEADER_FIELDS_TOO_LARGE;
        let answer = Answer::new(status, &content_type[..64], Content::RequestBody);
        assert!(answer.head_room() + CHUNK_LINE <= LEAST_OUTPUT);
    }

    #[test]
    fn a_chunk_line_is_hexadecimal() {
        let mut output = Buffer::new(2 * CHUNK_LINE);
        write_chunk_line(10, &mut output);
        write_chunk_line(u64::MAX, &mut output);
        assert_eq!(output.filled(), b"a\r\nffffffffffffffff\r\n");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 99, 100, 1_234_567_890, u64::MAX] {
            let mut octets = [0; 20];
            let mut head = Head { octets: &mut octets, length: 0 };
            head.number(number);
            let length = head.length;
            assert_eq!(octets[..length], *number.to_string().as_bytes());
        }
    }

    #[test]
    fn content_that_a_status_forbids_has_no_length() {
        let answer = Answer::text(StatusCode::NOT_MODIFIED, "nothing");
        assert_eq!(answer.framing(Framing::Length(5)), Framing::None);
    }
}
