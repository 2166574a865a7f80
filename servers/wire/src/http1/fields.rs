//! What the fields of any head say about the message and its connection.

use super::grammar::{decimal, trimmed};
use super::head::field;
use super::{Error, Framing, Version};

/// The fields that say where a message ends, and whether another may follow; gathered line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    count: usize,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// `Connection` names fields that are about this connection only.
    names_others: bool,
}

impl Fields {
    /// Reads a field line and takes note of what it says; gives back name and value.
    ///
    /// # Errors
    /// The rule that it breaks, alone or after the fields before it, of which there may be `most`.
    #[inline]
    pub(crate) fn read<'a>(
        &mut self,
        line: &'a [u8],
        most: usize,
    ) -> Result<(&'a [u8], &'a [u8]), Error> {
        let (name, value) = field(line)?;
        self.count += 1;
        if self.count > most {
            return Err(Error::TooManyFields);
        }
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value)?,
            _ => {}
        }
        Ok((name, value))
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&octet| octet == b',').map(trimmed) {
            let close = option.eq_ignore_ascii_case(b"close");
            let keep_alive = option.eq_ignore_ascii_case(b"keep-alive");
            self.close |= close;
            self.keep_alive |= keep_alive;
            self.names_others |= !close && !keep_alive;
        }
    }

    /// One field with one number. RFC 9112, 6.3 would let equal ones pass as one; nothing that is
    /// sent on purpose needs that.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Error> {
        let number = decimal(value).ok_or(Error::BadLength)?.ok_or(Error::LengthOverflow)?;
        match self.length.replace(number) {
            None => Ok(()),
            Some(_) => Err(Error::RepeatedLength),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Error> {
        if std::mem::replace(&mut self.chunked, true) {
            return Err(Error::RepeatedCoding);
        }
        if value.eq_ignore_ascii_case(b"chunked") { Ok(()) } else { Err(coding_error(value)) }
    }

    /// How the content ends, as far as the fields tell.
    ///
    /// # Errors
    /// Where they tell two things, or one that the version does not know.
    pub(crate) const fn framing(&self, version: Version) -> Result<Framing, Error> {
        match (self.chunked, self.length, version) {
            (true, Some(_), _) => Err(Error::LengthAndCoding),
            (true, None, Version::Http10) => Err(Error::CodingInHttp10),
            (true, None, Version::Http11) => Ok(Framing::Chunked),
            (false, Some(length), _) => Ok(Framing::Length(length)),
            (false, None, _) => Ok(Framing::None),
        }
    }

    /// Whether `Connection` names fields that are about this connection only (RFC 9110, 7.6.1).
    pub(crate) const fn names_others(&self) -> bool {
        self.names_others
    }

    /// Whether the connection may stay after this message (RFC 9112, 9.3).
    pub(crate) const fn persists(&self, version: Version) -> bool {
        match version {
            Version::Http10 => self.keep_alive && !self.close,
            Version::Http11 => !self.close,
        }
    }
}

/// Says what is wrong with a list of codings that is not just `chunked`.
///
/// RFC 9112 asks for 501 where a coding is unknown (6.1), but insists on 400 where the last one is
/// not chunked (6.3), for then the end of the content is unknown as well.
#[cold]
fn coding_error(value: &[u8]) -> Error {
    let is_chunked = |coding: &[u8]| trimmed(coding).eq_ignore_ascii_case(b"chunked");
    let mut codings = value.rsplit(|&octet| octet == b',');
    let last_is_chunked = codings.next().is_some_and(is_chunked);
    let others_are_other = codings.all(|coding| !is_chunked(coding) && !trimmed(coding).is_empty());
    if last_is_chunked && others_are_other { Error::UnknownCoding } else { Error::NotChunked }
}
