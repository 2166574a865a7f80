//! The first line of a request: what is to be done, with what, in which version (RFC 9112, 3).

use std::ops::Range;

use memchr::memchr;

use super::demands::is_authority;
use super::grammar::{TARGET, TOKEN, all_in};
use super::head::control_error;
use super::{Error, Limits, Version};

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
pub(crate) const AROUND_TARGET: usize = "OPTIONS".len() + " ".len() + " HTTP/1.1\r\n".len();

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

    pub(crate) const fn name(self) -> &'static str {
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
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) target: Range<usize>,
    pub(crate) version: Version,
}

impl RequestLine {
    /// # Errors
    /// The first rule that the line breaks.
    pub(crate) fn parse(line: &[u8], limits: &Limits) -> Result<Self, Error> {
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

/// Origin form, absolute form, or the asterisk of OPTIONS (RFC 9112, 3.2). The authority form is
/// for CONNECT only.
fn is_target(method: Method, target: &[u8]) -> bool {
    match target {
        b"*" => method == Method::Options,
        [b'/', ..] => all_in(&TARGET, target),
        _ => all_in(&TARGET, target) && absolute(target).is_some(),
    }
}

/// The path and query of an absolute `http` or `https` target, if it has a right authority: a host
/// and perhaps a port, and no user (RFC 9110, 4.2.4).
pub(crate) fn absolute(target: &[u8]) -> Option<&[u8]> {
    authority_and_path(target).map(|(_, path)| path)
}

/// The same, and the authority before it.
pub(crate) fn authority_and_path(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', target)?;
    let (scheme, rest) = target.split_at(colon);
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let right = known && !authority.is_empty() && is_authority(authority);
    right.then_some((authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<RequestLine, Error> {
        RequestLine::parse(line.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_line_has_three_parts() {
        let line = parse("PATCH /a?b HTTP/1.0").expect("a request line");
        assert_eq!(
            (line.method, line.target, line.version),
            (Method::Patch, 6..10, Version::Http10)
        );
    }

    #[test]
    fn methods_are_named_as_they_are_parsed() {
        for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let line = parse(&format!("{name} / HTTP/1.1"));
            assert_eq!(line.map(|line| line.method.name()), Ok(name));
        }
    }

    #[test]
    fn the_version_is_judged_before_the_method() {
        assert_eq!(parse("PRI * HTTP/2.0").err(), Some(Error::UnsupportedVersion));
        assert_eq!(parse("PRI * HTTP/1.1").err(), Some(Error::UnknownMethod));
    }

    #[test]
    fn an_absolute_target_ends_its_host_at_a_slash_or_a_question_mark() {
        assert_eq!(absolute(b"http://a:1/b?c"), Some(&b"/b?c"[..]));
        assert_eq!(absolute(b"https://a?c/d"), Some(&b"?c/d"[..]));
        assert_eq!(absolute(b"http://a"), Some(&b""[..]));
        for bad in
            ["http:a", "http:/a", "http://", "http:///a", "http://u@a/", "a", "://a", "ws://a"]
        {
            assert_eq!(absolute(bad.as_bytes()), None, "{bad}");
        }
    }
}
