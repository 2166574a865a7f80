//! The head of a reply, as a client reads it.

use super::fields::Fields;
use super::grammar::is_field_value;
use super::head::{Lines, control_error};
use super::{Error, Framing, Limits, Version};

/// The head of a reply that is coming in.
#[derive(Debug, Default)]
pub(crate) struct ReplyHead {
    lines: Lines,
    line: Option<StatusLine>,
    fields: Fields,
}

/// A checked status line (RFC 9112, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StatusLine {
    version: Version,
    status: u16,
}

/// What a whole head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Octets of the head, the empty line included.
    pub(crate) length: usize,
    pub(crate) status: u16,
    /// [`Framing::None`] where no field tells the length: the content ends with the connection.
    pub(crate) framing: Framing,
    pub(crate) persists: bool,
    /// `Connection` names fields that are about this connection only.
    pub(crate) connection_names: bool,
}

impl ReplyHead {
    /// Goes on reading at the front of `octets`, of a buffer that holds at most `capacity`.
    ///
    /// # Errors
    /// The first rule that the head breaks.
    #[inline]
    pub(crate) fn read(
        &mut self,
        octets: &[u8],
        capacity: usize,
        limits: &Limits,
    ) -> Result<Option<Whole>, Error> {
        let room = limits.head.min(capacity);
        while let Some(line) = self.lines.next(octets, room, Error::HeadTooLarge)? {
            match self.line {
                None => self.line = Some(StatusLine::parse(line)?),
                Some(first) if line.is_empty() => return self.whole(first).map(Some),
                Some(_) => _ = self.fields.read(line, limits.fields)?,
            }
        }
        Ok(None)
    }

    fn whole(&self, line: StatusLine) -> Result<Whole, Error> {
        Ok(Whole {
            length: self.lines.taken(),
            status: line.status,
            framing: self.fields.framing(line.version)?,
            persists: self.fields.persists(line.version),
            connection_names: self.fields.names_others(),
        })
    }

    /// Whether any octet of it has come in.
    pub(crate) const fn begun(&self) -> bool {
        self.lines.begun()
    }
}

impl StatusLine {
    fn parse(line: &[u8]) -> Result<Self, Error> {
        let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', status @ ..] = line else {
            return Err(line_error(line));
        };
        let [first @ b'1'..=b'5', second, third, reason @ ..] = status else {
            return Err(line_error(line));
        };
        let digits = [minor, second, third].iter().all(|octet| octet.is_ascii_digit());
        if !digits || !matches!(reason, [] | [b' ', ..]) || !is_field_value(reason) {
            return Err(line_error(line));
        }
        let version = if *minor == b'0' { Version::Http10 } else { Version::Http11 };
        let digit = |octet: &u8| u16::from(octet - b'0');
        Ok(Self { version, status: digit(first) * 100 + digit(second) * 10 + digit(third) })
    }
}

/// Says why a line is no status line.
#[cold]
fn line_error(line: &[u8]) -> Error {
    if is_field_value(line) { Error::BadStatusLine } else { control_error(line) }
}
