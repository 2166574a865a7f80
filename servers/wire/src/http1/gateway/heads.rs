//! Heads, written anew for the next one to read them.
//!
//! What a field is about decides whether it is passed on (RFC 9110, 7.6.1): those about the
//! connection they came over end here, and the gateway says itself what holds for the next
//! connection. All others are passed on as they came, in their order.

use memchr::memchr;

use super::Asked;
use super::carrier::Wrapping;
use crate::Buffer;
use crate::http1::grammar::trimmed;
use crate::http1::request_line::authority_and_path;
use crate::http1::response::{Head, Persistence};
use crate::http1::{Framing, Version};

/// The name that this gateway gives itself in `Via` (RFC 9110, 7.6.3).
const PSEUDONYM: &[u8] = b"servers";
/// Octets of what a gateway adds to a head, beside the client's address and the host.
const ADDED: usize = 256;

/// Who passes a message on, for whom, and when.
#[derive(Clone, Copy)]
pub struct Forwarder<'a> {
    /// The client's address, as `X-Forwarded-For` gives it. Empty where it is not known.
    pub client: &'a [u8],
    /// The backend's address: the host for a request that names none (HTTP/1.0).
    pub host: &'a [u8],
    /// The time, for a reply without a date (RFC 9110, 6.6.1).
    pub date: &'a dyn Fn() -> [u8; 29],
}

/// Whether `Connection` names other fields: then each has to be looked up there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    None,
    Some,
}

impl Named {
    pub(super) const fn when(connection_names: bool) -> Self {
        if connection_names { Self::Some } else { Self::None }
    }
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    /// It is about this connection only, or is written anew.
    Drop,
    Host,
    ForwardedFor,
    MaxForwards,
    Expect,
    Length,
    Date,
}

/// Writes the head of a request for a backend; `false` says that there is no room for it.
pub(super) fn write_request(
    head: &[u8],
    asked: &Asked,
    by: &Forwarder<'_>,
    output: &mut Buffer,
) -> bool {
    if !output.reserve(head.len() + by.client.len() + by.host.len() + ADDED) {
        return false;
    }
    let mut out = Head::at(output.spare());
    let (line, fields) = split_line(head);
    let named = write_request_line(line, &mut out);
    let mut seen = Seen::default();
    let ours = Named::when(asked.connection_names);
    for field in Lines(fields) {
        match fate(field, ours, fields) {
            Fate::Pass | Fate::Length | Fate::Date => out.put(field),
            // One of HTTP/1.0 means nothing, and here it would (RFC 9110, 10.1.1).
            Fate::Expect if asked.version == Version::Http11 => out.put(field),
            Fate::Host if named.is_none() => {
                seen.host = true;
                out.put(field);
            }
            Fate::ForwardedFor => seen.forwarded_for = true,
            Fate::MaxForwards => write_fewer_forwards(field, line, &mut out),
            Fate::Host | Fate::Expect | Fate::Drop => {}
        }
    }
    if let Some(host) = named.or(if seen.host { None } else { Some(by.host) }) {
        out.field("Host", host);
    }
    if asked.framing == Framing::Chunked {
        out.put(b"Transfer-Encoding: chunked\r\n");
    }
    write_via(asked.version, &mut out);
    write_forwarded_for(fields, seen.forwarded_for, by.client, &mut out);
    out.put(b"\r\n");
    let length = out.length();
    output.commit(length);
    true
}

/// Writes the head of a final reply for a client; `false` says that there is no room for it.
pub(super) fn write_reply(
    head: &[u8],
    named: Named,
    wrapping: Option<Wrapping>,
    persistence: Persistence,
    by: &Forwarder<'_>,
    output: &mut Buffer,
) -> bool {
    if !output.reserve(head.len() + ADDED) {
        return false;
    }
    let mut out = Head::at(output.spare());
    let (line, fields) = split_line(head);
    write_status_line(line, &mut out);
    let mut dated = false;
    for field in Lines(fields) {
        match fate(field, named, fields) {
            Fate::Drop => {}
            Fate::Length if status_of(line) == b"204" => {}
            fate => {
                dated |= fate == Fate::Date;
                out.put(field);
            }
        }
    }
    if !dated {
        out.field("Date", &(by.date)());
    }
    if wrapping == Some(Wrapping::Chunks) {
        out.put(b"Transfer-Encoding: chunked\r\n");
    }
    write_via(if line[7] == b'0' { Version::Http10 } else { Version::Http11 }, &mut out);
    out.persistence(persistence);
    out.put(b"\r\n");
    let length = out.length();
    output.commit(length);
    true
}

/// Passes an interim reply on; `false` says that there is no room for it.
pub(super) fn write_interim(head: &[u8], named: Named, output: &mut Buffer) -> bool {
    if !output.reserve(head.len() + b" ".len()) {
        return false;
    }
    let mut out = Head::at(output.spare());
    let (line, fields) = split_line(head);
    write_status_line(line, &mut out);
    Lines(fields)
        .filter(|field| !matches!(fate(field, named, fields), Fate::Drop | Fate::Length))
        .for_each(|field| out.put(field));
    out.put(b"\r\n");
    let length = out.length();
    output.commit(length);
    true
}

#[derive(Default)]
struct Seen {
    host: bool,
    forwarded_for: bool,
}

/// Writes the request line with the path alone, and gives the host of a target that has one: it
/// counts for more than the field (RFC 9112, 3.2.2).
fn write_request_line<'a>(line: &'a [u8], out: &mut Head<'_>) -> Option<&'a [u8]> {
    let mut parts = line.splitn(3, |&octet| octet == b' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (host, path) = match target {
        [b'/' | b'*', ..] => (None, target),
        _ => authority_and_path(target).map_or((None, target), |(host, path)| (Some(host), path)),
    };
    out.put(method);
    out.put(b" ");
    match path {
        // RFC 9112, 3.2.4: an absolute target without a path, in OPTIONS, is about the server.
        [] if method == b"OPTIONS" => out.put(b"*"),
        [b'/' | b'*', ..] => out.put(path),
        _ => {
            out.put(b"/");
            out.put(path);
        }
    }
    out.put(b" HTTP/1.1\r\n");
    host
}

/// Writes a status line of the gateway's own version, whatever the backend's is. A line that ends
/// with its status gets the space that it lacks: only the reason after it may be missing (RFC 9112,
/// 4).
fn write_status_line(line: &[u8], out: &mut Head<'_>) {
    out.put(b"HTTP/1.1 ");
    out.put(status_of(line));
    match &line["HTTP/1.1 200".len()..] {
        b"\r\n" => out.put(b" \r\n"),
        reason => out.put(reason),
    }
}

/// The three digits of a status line.
fn status_of(line: &[u8]) -> &[u8] {
    &line["HTTP/1.1 ".len().."HTTP/1.1 200".len()]
}

/// Adds this gateway to those that the message has come through.
fn write_via(version: Version, out: &mut Head<'_>) {
    out.put(b"Via: ");
    out.put(if version == Version::Http10 { b"1.0 " } else { b"1.1 " });
    out.put(PSEUDONYM);
    out.put(b"\r\n");
}

/// One field for all that have been there, and the client at the end of it: who reads only the last
/// one, as he should, gets the one that this gateway vouches for. Of a client that has no address
/// any more nothing is said, and those before it vouch for nobody: then there is no such field.
fn write_forwarded_for(fields: &[u8], seen: bool, client: &[u8], out: &mut Head<'_>) {
    if client.is_empty() {
        return;
    }
    out.put(b"X-Forwarded-For: ");
    if seen {
        let fields =
            Lines(fields).filter(|field| fate(field, Named::None, b"") == Fate::ForwardedFor);
        for others in fields.map(value_of).filter(|others| !others.is_empty()) {
            out.put(others);
            out.put(b", ");
        }
    }
    out.put(client);
    out.put(b"\r\n");
}

/// Counts `Max-Forwards` down. Only OPTIONS is asked to (and TRACE, which is never passed on).
fn write_fewer_forwards(field: &[u8], line: &[u8], out: &mut Head<'_>) {
    let left = std::str::from_utf8(value_of(field)).ok().and_then(|left| left.parse::<u64>().ok());
    match left {
        Some(left) if line.starts_with(b"OPTIONS ") => {
            out.put(b"Max-Forwards: ");
            out.number(left.saturating_sub(1));
            out.put(b"\r\n");
        }
        _ => out.put(field),
    }
}

/// What becomes of a field of a head with these `fields`.
fn fate(field: &[u8], named: Named, fields: &[u8]) -> Fate {
    let name = name_of(field);
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 if is(b"te") => Fate::Drop,
        4 if is(b"host") => Fate::Host,
        4 if is(b"date") => Fate::Date,
        6 if is(b"expect") => Fate::Expect,
        7 if is(b"upgrade") || is(b"trailer") => Fate::Drop,
        10 if is(b"connection") || is(b"keep-alive") => Fate::Drop,
        12 if is(b"max-forwards") => Fate::MaxForwards,
        14 if is(b"content-length") => Fate::Length,
        15 if is(b"x-forwarded-for") => Fate::ForwardedFor,
        16 if is(b"proxy-connection") => Fate::Drop,
        17 if is(b"transfer-encoding") => Fate::Drop,
        _ if named == Named::Some && is_named_by_connection(name, fields) => Fate::Drop,
        _ => Fate::Pass,
    }
}

/// Whether the sender has said, in `Connection`, that the field is about this connection. The
/// fields that decide who is asked, and where a message ends, are not the sender's to take away.
fn is_named_by_connection(name: &[u8], fields: &[u8]) -> bool {
    let connections = Lines(fields).filter(|field| {
        matches!(field.first(), Some(b'c' | b'C'))
            && name_of(field).eq_ignore_ascii_case(b"connection")
    });
    connections
        .flat_map(|field| value_of(field).split(|&octet| octet == b','))
        .any(|option| trimmed(option).eq_ignore_ascii_case(name))
}

fn name_of(field: &[u8]) -> &[u8] {
    &field[..memchr(b':', field).unwrap_or(field.len())]
}

fn value_of(field: &[u8]) -> &[u8] {
    let value = field.get(name_of(field).len() + 1..).unwrap_or_default();
    trimmed(value.trim_ascii_end())
}

/// The first line of a head, with its line end, and its fields, without the empty line after them.
fn split_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b'\n', head).map_or(head.len(), |place| place + 1);
    let (line, fields) = head.split_at(end);
    (line, fields.strip_suffix(b"\r\n").unwrap_or(fields))
}

/// The field lines of a head, each with its line end.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)? + 1;
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line)
    }
}
