//! The head of a request: read line by line, then looked at as a whole.

use std::ops::Range;

use memchr::memchr;

use super::fields::{Fields, is_authority};
use super::grammar::{TARGET, TOKEN, all_in};
use super::head::{Lines, control_error, field};
use super::{Error, Framing, Limits, Version};

/// What a request asks for. TRACE and CONNECT are left out on purpose: the one gives away fields,
/// the other makes a tunnel. They are answered like unknown ones, with 501.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
}

/// Octets of the longest method, of a version, and of what stands around them in a request line.
const AROUND_TARGET: usize = "OPTIONS".len() + " ".len() + " HTTP/1.1\r\n".len();

impl Method {
    fn parse(name: &[u8]) -> Result<Self, Error> {
        match name {
            b"GET" => Ok(Self::Get),
            b"HEAD" => Ok(Self::Head),
            b"POST" => Ok(Self::Post),
            b"PUT" => Ok(Self::Put),
            b"DELETE" => Ok(Self::Delete),
            b"OPTIONS" => Ok(Self::Options),
            b"PATCH" => Ok(Self::Patch),
            _ if all_in(&TOKEN, name) => Err(Error::UnknownMethod),
            _ => Err(Error::BadMethod),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
        }
    }
}

/// A checked request line (RFC 9112, 3). The target is kept as its place in the head.
#[derive(Clone, Debug)]
struct RequestLine {
    method: Method,
    target: Range<usize>,
    version: Version,
}

impl RequestLine {
    fn parse(line: &[u8], limits: &Limits) -> Result<Self, Error> {
        let (method, target, version) = split(line).ok_or_else(|| line_error(line))?;
        let version = parse_version(version)?;
        let start = method.len() + 1;
        let method = Method::parse(method)?;
        if target.len() > limits.target {
            return Err(Error::TargetTooLong);
        }
        if !is_target(method, target) {
            return Err(Error::BadTarget);
        }
        Ok(Self { method, target: start..start + target.len(), version })
    }
}

/// The three parts of a request line. Further spaces end up in the version, which has none.
fn split(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (method, rest) = line.split_at(memchr(b' ', line)?);
    let (target, version) = rest[1..].split_at(memchr(b' ', &rest[1..])?);
    let empty = method.is_empty() || target.is_empty();
    (!empty).then_some((method, target, &version[1..]))
}

/// Says why a line has no three parts.
#[cold]
fn line_error(line: &[u8]) -> Error {
    match control_error(line) {
        Error::BareCr => Error::BareCr,
        _ => Error::BadRequestLine,
    }
}

fn parse_version(octets: &[u8]) -> Result<Version, Error> {
    match octets {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major == b'1' {
                Ok(Version::Http11)
            } else {
                Err(Error::UnsupportedVersion)
            }
        }
        _ if octets.contains(&b'\r') => Err(Error::BareCr),
        _ if octets.contains(&b' ') => Err(Error::BadRequestLine),
        _ => Err(Error::BadVersion),
    }
}

/// Origin form, absolute form, or the asterisk of OPTIONS (RFC 9112, 3.2). The authority form is for
/// CONNECT only.
fn is_target(method: Method, target: &[u8]) -> bool {
    match target {
        b"*" => method == Method::Options,
        [b'/', ..] => all_in(&TARGET, target),
        _ => all_in(&TARGET, target) && absolute(target).is_some(),
    }
}

/// The path and query of an absolute `http` or `https` target, if it has a right authority: a host
/// and perhaps a port, and no user (RFC 9110, 4.2.4).
fn absolute(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr(b':', target)?;
    let (scheme, rest) = target.split_at(colon);
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    (known && !authority.is_empty() && is_authority(authority)).then_some(path)
}

/// The head of a request that is coming in.
#[derive(Debug, Default)]
pub(crate) struct RequestHead {
    lines: Lines,
    line: Option<RequestLine>,
    fields: Fields,
    count: usize,
}

impl RequestHead {
    /// Goes on reading at the front of `octets`; gives the request once its head is whole. A buffer
    /// of `capacity` octets never holds more, so a larger head never becomes whole.
    ///
    /// # Errors
    /// The first rule that the head breaks.
    pub(crate) fn read<'a>(
        &mut self,
        octets: &'a [u8],
        capacity: usize,
        limits: &Limits,
    ) -> Result<Option<Request<'a>>, Error> {
        let room = limits.head.min(capacity);
        if self.line.is_none() && !self.read_request_line(octets, room, limits)? {
            return Ok(None);
        }
        while let Some(line) = self.lines.next(octets, room, Error::HeadTooLarge)? {
            if line.is_empty() {
                return self.whole(&octets[..self.lines.taken()], limits).map(Some);
            }
            self.read_field(line, limits)?;
        }
        Ok(None)
    }

    fn read_request_line(
        &mut self,
        octets: &[u8],
        room: usize,
        limits: &Limits,
    ) -> Result<bool, Error> {
        let room = room.min(limits.target.saturating_add(AROUND_TARGET));
        let Some(line) = self.lines.next(octets, room, Error::TargetTooLong)? else {
            return Ok(false);
        };
        self.line = Some(RequestLine::parse(line, limits)?);
        Ok(true)
    }

    fn read_field(&mut self, line: &[u8], limits: &Limits) -> Result<(), Error> {
        let (name, value) = field(line)?;
        self.count += 1;
        if self.count > limits.fields {
            return Err(Error::TooManyFields);
        }
        self.fields.note(name, value)
    }

    fn whole<'a>(&self, octets: &'a [u8], limits: &Limits) -> Result<Request<'a>, Error> {
        let Some(line) = self.line.clone() else { return Err(Error::BadRequestLine) };
        let framing = self.fields.framing(line.version)?;
        self.fields.check_request(line.version)?;
        if matches!(framing, Framing::Length(length) if length > limits.body) {
            return Err(Error::BodyTooLarge);
        }
        Ok(Request { octets, line, framing, fields: self.fields })
    }

    /// Whether any octet of it has come in.
    pub(crate) const fn begun(&self) -> bool {
        self.lines.begun()
    }

    /// Whether it is known to be of a HEAD request, whose response has no content.
    pub(crate) fn asks_for_head(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.method == Method::Head)
    }
}

/// A view over the whole, checked head of a request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    octets: &'a [u8],
    line: RequestLine,
    framing: Framing,
    fields: Fields,
}

impl<'a> Request<'a> {
    /// The method: one of GET, HEAD, POST, PUT, DELETE, OPTIONS and PATCH.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.line.method.name()
    }

    /// The target as it was sent: `/path?query`, `http://host/path?query` or `*`.
    #[must_use]
    pub fn target(&self) -> &'a str {
        text(&self.octets[self.line.target.clone()])
    }

    /// The path of the target, without host and query; nothing in it is decoded.
    #[must_use]
    pub fn path(&self) -> &'a str {
        let target = &self.octets[self.line.target.clone()];
        let path = if matches!(target, [b'/' | b'*', ..]) {
            target
        } else {
            absolute(target).unwrap_or_default()
        };
        match text(&path[..memchr(b'?', path).unwrap_or(path.len())]) {
            "" => "/",
            path => path,
        }
    }

    /// The version that the client follows.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.line.version
    }

    /// Names and values of the fields, in the order of the head, without the space around values.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let lines = self.head().split_inclusive(|&octet| octet == b'\n').skip(1);
        lines
            .filter_map(|line| field(line.trim_ascii_end()).ok())
            .map(|(name, value)| (text(name), value))
    }

    /// The lines of the head as they were sent, without the empty one at the end.
    #[must_use]
    pub fn head(&self) -> &'a [u8] {
        &self.octets[..self.octets.len() - 2]
    }

    /// How long the content is that follows.
    #[must_use]
    pub const fn body_length(&self) -> Framing {
        self.framing
    }

    pub(crate) fn asks_for_head(&self) -> bool {
        self.line.method == Method::Head
    }

    pub(crate) const fn persists(&self) -> bool {
        self.fields.persists(self.line.version)
    }

    pub(crate) fn expects_continue(&self) -> bool {
        self.fields.expects_continue(self.line.version) && self.framing != Framing::None
    }

    /// Octets of the head, the empty line included.
    pub(crate) const fn length(&self) -> usize {
        self.octets.len()
    }
}

/// What has been checked to be ASCII, as text.
fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
}
