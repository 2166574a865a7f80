//! The content of a message, by length or in chunks (RFC 9112, 6 and 7).
//!
//! The content itself is never copied here: the body says how many of the octets at the front of
//! the input are content, and the caller puts them where they belong, as many as it has room for.

use super::grammar::{is_field_value, is_space};
use super::head::{Lines, control_error, field};
use super::{Error, Framing, Limits};
use crate::Buffer;

/// What comes next in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The input holds no further step.
    Incomplete,
    /// A chunk of so many octets (never 0) begins.
    Chunk(u64),
    /// So many octets at the front of the input are content: consume some, and say so with
    /// [`Body::took`].
    Content(usize),
    /// The chunk is over.
    ChunkEnd,
    /// The body is over.
    End,
}

/// A body that is coming in.
#[derive(Debug)]
pub(crate) struct Body {
    at: Place,
    lines: Lines,
    /// Octets of content that may still be announced in chunks.
    allowance: u64,
    /// Octets of chunk extensions and trailers that may still come.
    patience: usize,
    /// Trailer fields that may still come.
    fields: usize,
}

/// Where in a body the input begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In content of a known length.
    Content(u64),
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    End,
}

/// Octets of the longest chunk size and its CR LF.
const SIZE_LINE: usize = 16 + 2;

impl Body {
    pub(crate) fn new(framing: Framing, limits: &Limits) -> Self {
        let at = match framing {
            Framing::None | Framing::Length(0) => Place::End,
            Framing::Length(length) => Place::Content(length),
            Framing::Chunked => Place::ChunkLine,
        };
        let lines = Lines::default();
        Self { at, lines, allowance: limits.body, patience: limits.head, fields: limits.fields }
    }

    /// Whether nothing follows.
    pub(crate) fn is_over(&self) -> bool {
        self.at == Place::End
    }

    /// Consumes what frames the content, up to the next thing to tell.
    ///
    /// # Errors
    /// The rule that the chunks break.
    pub(crate) fn next(&mut self, input: &mut Buffer) -> Result<Part, Error> {
        match self.at {
            Place::Content(left) | Place::Chunk(left) => Ok(content(left, input)),
            Place::ChunkLine => self.chunk_line(input),
            Place::ChunkEnd => self.chunk_end(input),
            Place::Trailer => self.trailer(input),
            Place::End => Ok(Part::End),
        }
    }

    /// Reports that `octets` of the last [`Part::Content`] have been consumed.
    pub(crate) fn took(&mut self, octets: usize) {
        let octets = octets as u64;
        self.at = match self.at {
            Place::Content(left) if left <= octets => Place::End,
            Place::Content(left) => Place::Content(left - octets),
            Place::Chunk(left) if left <= octets => Place::ChunkEnd,
            Place::Chunk(left) => Place::Chunk(left - octets),
            other => other,
        };
    }

    fn chunk_line(&mut self, input: &mut Buffer) -> Result<Part, Error> {
        let room = self.patience.saturating_add(SIZE_LINE).min(input.capacity());
        let Some(line) = self.lines.next(input.filled(), room, Error::ChunkLineTooLong)? else {
            return Ok(Part::Incomplete);
        };
        let size = chunk_size(line)?;
        self.patience = self.patience.saturating_sub(line.len().saturating_sub(SIZE_LINE - 2));
        self.allowance = self.allowance.checked_sub(size).ok_or(Error::BodyTooLarge)?;
        self.line_done(input);
        if size == 0 {
            self.at = Place::Trailer;
            return self.trailer(input);
        }
        self.at = Place::Chunk(size);
        Ok(Part::Chunk(size))
    }

    fn chunk_end(&mut self, input: &mut Buffer) -> Result<Part, Error> {
        match input.filled() {
            [] | [b'\r'] => Ok(Part::Incomplete),
            [b'\r', b'\n', ..] => {
                input.consume(2);
                self.at = Place::ChunkLine;
                Ok(Part::ChunkEnd)
            }
            _ => Err(Error::ChunkEnd),
        }
    }

    /// Checks the trailer and drops it: no field in it may change what the head said (RFC 9110,
    /// 6.5).
    fn trailer(&mut self, input: &mut Buffer) -> Result<Part, Error> {
        loop {
            let room = self.patience.saturating_add(2).min(input.capacity());
            let Some(line) = self.lines.next(input.filled(), room, Error::TrailerTooLarge)? else {
                return Ok(Part::Incomplete);
            };
            if line.is_empty() {
                self.line_done(input);
                self.at = Place::End;
                return Ok(Part::End);
            }
            field(line)?;
            self.fields = self.fields.checked_sub(1).ok_or(Error::TooManyFields)?;
            self.patience = self.patience.saturating_sub(line.len() + 2);
            self.line_done(input);
        }
    }

    fn line_done(&mut self, input: &mut Buffer) {
        input.consume(std::mem::take(&mut self.lines).taken());
    }
}

fn content(left: u64, input: &Buffer) -> Part {
    let here = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    if here == 0 { Part::Incomplete } else { Part::Content(here) }
}

/// The size that a chunk line gives. What follows a `;` is an extension: it has no control
/// characters, and means nothing here (RFC 9112, 7.1.1).
fn chunk_size(line: &[u8]) -> Result<u64, Error> {
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at(digits);
    if digits == 0 || !(rest.is_empty() || begins_extension(rest)) {
        return Err(if line.contains(&b'\r') { Error::BareCr } else { Error::BadChunkSize });
    }
    if !is_field_value(rest) {
        return Err(control_error(rest));
    }
    size.iter().try_fold(0_u64, |size, &digit| shifted_in(size, digit)).ok_or(Error::ChunkOverflow)
}

/// White space before the `;` is bad, but must be understood (RFC 9110, 5.6.3).
fn begins_extension(rest: &[u8]) -> bool {
    rest.iter().find(|&&octet| !is_space(octet)) == Some(&b';')
}

fn shifted_in(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16).map(|size| size + u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(framing: Framing) -> (Body, Buffer) {
        (Body::new(framing, &Limits::default()), Buffer::new(64))
    }

    #[test]
    fn a_size_is_hexadecimal_digits() {
        assert_eq!(chunk_size(b"0"), Ok(0));
        assert_eq!(chunk_size(b"00fF"), Ok(255));
        assert_eq!(chunk_size(b"ffffffffffffffff"), Ok(u64::MAX));
        assert_eq!(chunk_size(b"5;a=b"), Ok(5));
        assert_eq!(chunk_size(b"5 \t;a"), Ok(5));
    }

    #[test]
    fn each_broken_rule_of_a_size_has_its_error() {
        for bad in [&b""[..], b"g", b"0x5", b" 5", b"5 ", b"5 5", b"+5", b"-5", b";a", b"5,5"] {
            assert_eq!(chunk_size(bad), Err(Error::BadChunkSize), "{}", bad.escape_ascii());
        }
        assert_eq!(chunk_size(b"10000000000000000"), Err(Error::ChunkOverflow));
        assert_eq!(chunk_size(b"5\r"), Err(Error::BareCr));
        assert_eq!(chunk_size(b"5;\0"), Err(Error::ControlCharacter));
    }

    #[test]
    fn content_by_length_ends_without_a_mark() {
        let (mut body, mut input) = body(Framing::Length(3));
        assert_eq!(body.next(&mut input), Ok(Part::Incomplete));
        input.push(b"abcNEXT");
        assert_eq!(body.next(&mut input), Ok(Part::Content(3)));
        input.consume(2);
        body.took(2);
        assert_eq!(body.next(&mut input), Ok(Part::Content(1)));
        input.consume(1);
        body.took(1);
        assert_eq!(body.next(&mut input), Ok(Part::End));
        assert_eq!(input.filled(), b"NEXT");
    }

    #[test]
    fn chunks_are_told_one_by_one() {
        let (mut body, mut input) = body(Framing::Chunked);
        input.push(b"2\r\nab\r\n0\r\n\r\nNEXT");
        assert_eq!(body.next(&mut input), Ok(Part::Chunk(2)));
        assert_eq!(body.next(&mut input), Ok(Part::Content(2)));
        input.consume(2);
        body.took(2);
        assert_eq!(body.next(&mut input), Ok(Part::ChunkEnd));
        assert_eq!(body.next(&mut input), Ok(Part::End));
        assert_eq!(input.filled(), b"NEXT");
    }
}
