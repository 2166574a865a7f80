//! The head of a request: read line by line, then looked at as a whole.

use memchr::memchr;

use super::demands::Demands;
use super::fields::Fields;
use super::head::{Lines, field};
use super::request_line::{AROUND_TARGET, Method, RequestLine, absolute};
use super::{Error, Framing, Limits, Version};

/// The head of a request that is coming in.
#[derive(Debug, Default)]
pub(crate) struct RequestHead {
    lines: Lines,
    line: Option<RequestLine>,
    fields: Fields,
    demands: Demands,
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
            let (name, value) = self.fields.read(line, limits.fields)?;
            self.demands.note(name, value)?;
        }
        Ok(None)
    }

    fn read_request_line(
        &mut self,
        octets: &[u8],
        room: usize,
        limits: &Limits,
    ) -> Result<bool, Error> {
        let line_room = limits.target.saturating_add(AROUND_TARGET);
        let found = if line_room < room {
            self.lines.next(octets, line_room, Error::TargetTooLong)?
        } else {
            self.lines.next(octets, room, Error::HeadTooLarge)?
        };
        let Some(line) = found else { return Ok(false) };
        self.line = Some(RequestLine::parse(line, limits)?);
        Ok(true)
    }

    fn whole<'a>(&self, octets: &'a [u8], limits: &Limits) -> Result<Request<'a>, Error> {
        let Some(line) = self.line.clone() else { return Err(Error::BadRequestLine) };
        let framing = self.fields.framing(line.version)?;
        self.demands.check(line.version)?;
        if matches!(framing, Framing::Length(length) if length > limits.body) {
            return Err(Error::BodyTooLarge);
        }
        let persists = self.fields.persists(line.version);
        let expects_continue = self.demands.expects_continue(line.version);
        let connection_names = self.fields.names_others();
        Ok(Request { octets, line, framing, persists, expects_continue, connection_names })
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
    persists: bool,
    expects_continue: bool,
    connection_names: bool,
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
        path_of(&self.octets[self.line.target.clone()])
    }

    /// Where the target stands in the octets.
    pub(crate) const fn target_range(&self) -> (usize, usize) {
        (self.line.target.start, self.line.target.end)
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
        self.persists
    }

    /// Whether the client waits for a word before it sends content, and has any to send.
    pub(crate) fn expects_continue(&self) -> bool {
        self.expects_continue && !matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Whether `Connection` names fields that are about this connection only.
    pub(crate) const fn connection_names(&self) -> bool {
        self.connection_names
    }

    /// Octets of the head, the empty line included.
    pub(crate) const fn length(&self) -> usize {
        self.octets.len()
    }
}

/// The path of a target, without host and query; nothing in it is decoded.
pub(crate) fn path_of(target: &[u8]) -> &str {
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

/// What has been checked to be ASCII, as text.
fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
}
