//! What the fields of a head say about the message itself.

use super::grammar::{HOST_LITERAL, HOST_NAME, all_in, decimal, trimmed};
use super::{Error, Framing, Version};

/// The fields that frame a message, gathered line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    length: Option<u64>,
    chunked: bool,
    host: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    unknown_expectation: bool,
}

impl Fields {
    /// Takes note of one field.
    ///
    /// # Errors
    /// The rule that its value breaks, alone or after the fields before it.
    #[inline]
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value),
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expect(value);
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Error> {
        if std::mem::replace(&mut self.host, true) {
            return Err(Error::RepeatedHost);
        }
        if is_authority(value) { Ok(()) } else { Err(Error::BadHost) }
    }

    fn expect(&mut self, value: &[u8]) {
        let known = value.eq_ignore_ascii_case(b"100-continue");
        self.expects_continue |= known;
        self.unknown_expectation |= !known;
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&octet| octet == b',').map(trimmed) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
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

    /// Whether the connection may stay after this message (RFC 9112, 9.3).
    pub(crate) const fn persists(&self, version: Version) -> bool {
        match version {
            Version::Http10 => self.keep_alive && !self.close,
            Version::Http11 => !self.close,
        }
    }

    /// Whether the client waits for a word before it sends the content. In HTTP/1.0 that word is
    /// unknown, and what asks for it does not count (RFC 9110, 10.1.1).
    pub(crate) fn expects_continue(&self, version: Version) -> bool {
        self.expects_continue && version == Version::Http11
    }

    /// # Errors
    /// A rule that only requests are under.
    pub(crate) const fn check_request(&self, version: Version) -> Result<(), Error> {
        match version {
            Version::Http11 if !self.host => Err(Error::MissingHost),
            Version::Http11 if self.unknown_expectation => Err(Error::UnknownExpectation),
            _ => Ok(()),
        }
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2). Empty is right where the target has no authority.
pub(crate) fn is_authority(octets: &[u8]) -> bool {
    let (host, port) = match octets {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            (end > 0 && all_in(&HOST_LITERAL, &rest[..end]), &rest[end + 1..])
        }
        _ => {
            let end = memchr::memchr(b':', octets).unwrap_or(octets.len());
            let unnamed_port = end == 0 && !octets.is_empty();
            (!unnamed_port && all_in(&HOST_NAME, &octets[..end]), &octets[end..])
        }
    };
    host && is_port(port)
}

/// Nothing, or a colon and perhaps a number of at most 16 bits.
fn is_port(octets: &[u8]) -> bool {
    match octets {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            matches!(decimal(digits), Some(Some(port)) if port <= u64::from(u16::MAX))
        }
        _ => false,
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
