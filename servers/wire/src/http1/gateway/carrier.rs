//! Content on its way through a gateway, unwrapped on one side and wrapped anew on the other.

use crate::Buffer;
use crate::http1::body::{Body, Part};
use crate::http1::response::{CHUNK_LINE, write_chunk_line};
use crate::http1::{Error, Framing};

/// What follows the octets of a chunk.
const CHUNK_END: &[u8] = b"\r\n";
/// The empty chunk, and no trailer.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How content is wrapped where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// Its length stands in the head.
    Length,
    /// In chunks.
    Chunks,
    /// Not at all: the end of the connection is its end.
    Nothing,
}

impl Wrapping {
    /// The same as it came.
    pub(super) const fn of(framing: Framing) -> Self {
        match framing {
            Framing::Chunked => Self::Chunks,
            Framing::None | Framing::Length(_) => Self::Length,
        }
    }
}

/// How far it has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// As far as the input or the output allowed.
    Some,
    /// To its end.
    All,
}

/// Carries the content of one message.
#[derive(Debug)]
pub(super) struct Carrier {
    source: Source,
    wrapping: Wrapping,
}

#[derive(Debug)]
enum Source {
    /// It says where it ends.
    Framed(Body),
    /// It ends with the connection.
    Rest,
}

impl Carrier {
    pub(super) const fn framed(body: Body, wrapping: Wrapping) -> Self {
        Self { source: Source::Framed(body), wrapping }
    }

    pub(super) const fn rest(wrapping: Wrapping) -> Self {
        Self { source: Source::Rest, wrapping }
    }

    pub(super) const fn wrapping(&self) -> Wrapping {
        self.wrapping
    }

    /// Whether the end of the input is the end of the content.
    pub(super) const fn ends_with_input(&self) -> bool {
        matches!(self.source, Source::Rest)
    }

    /// Moves what is there and fits.
    ///
    /// # Errors
    /// The rule that the framing breaks.
    pub(super) fn carry(
        &mut self,
        input: &mut Buffer,
        output: &mut Buffer,
    ) -> Result<Carried, Error> {
        match &mut self.source {
            Source::Framed(body) => framed(body, self.wrapping, input, output),
            Source::Rest => {
                rest(self.wrapping, input, output);
                Ok(Carried::Some)
            }
        }
    }

    /// Ends content that ends with the input; `false` says that there is no room for that now.
    pub(super) fn end(&self, output: &mut Buffer) -> bool {
        self.wrapping != Wrapping::Chunks || output.push_all(LAST_CHUNK)
    }
}

fn framed(
    body: &mut Body,
    wrapping: Wrapping,
    input: &mut Buffer,
    output: &mut Buffer,
) -> Result<Carried, Error> {
    let in_chunks = wrapping == Wrapping::Chunks;
    while output.reserve(CHUNK_LINE) {
        match body.next(input)? {
            Part::Incomplete => return Ok(Carried::Some),
            Part::Content(count) => {
                let count = output.push(&input.filled()[..count]);
                input.consume(count);
                body.took(count);
            }
            Part::Chunk(size) if in_chunks => write_chunk_line(size, output),
            Part::ChunkEnd if in_chunks => _ = output.push(CHUNK_END),
            Part::Chunk(_) | Part::ChunkEnd => {}
            Part::End => {
                if in_chunks {
                    output.push(LAST_CHUNK);
                }
                return Ok(Carried::All);
            }
        }
    }
    Ok(if body.is_over() && !in_chunks { Carried::All } else { Carried::Some })
}

/// Moves octets that say nothing of where they end: what is there now is a chunk.
fn rest(wrapping: Wrapping, input: &mut Buffer, output: &mut Buffer) {
    if wrapping != Wrapping::Chunks {
        input.move_to(output);
        return;
    }
    let around = CHUNK_LINE + CHUNK_END.len();
    let count = input.len().min(output.room().saturating_sub(around));
    if count > 0 {
        write_chunk_line(count as u64, output);
        output.push(&input.filled()[..count]);
        output.push(CHUNK_END);
        input.consume(count);
    }
}
