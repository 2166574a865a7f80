//! What the fields of a request demand of a server: a host to answer for, and expectations.

use memchr::memchr;

use super::grammar::{HOST_LITERAL, HOST_NAME, all_in, decimal};
use super::{Error, Version};

/// `Host` and `Expect`, gathered line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demands {
    host: bool,
    hundred_continue: bool,
    unknown: bool,
}

impl Demands {
    /// Takes note of a field.
    ///
    /// # Errors
    /// The rule that it breaks, alone or after the fields before it.
    #[inline]
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value)?,
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Error> {
        if std::mem::replace(&mut self.host, true) {
            return Err(Error::RepeatedHost);
        }
        if is_authority(value) { Ok(()) } else { Err(Error::BadHost) }
    }

    fn expect(&mut self, value: &[u8]) {
        let known = value.eq_ignore_ascii_case(b"100-continue");
        self.hundred_continue |= known;
        self.unknown |= !known;
    }

    /// # Errors
    /// The rule that the whole head breaks.
    pub(crate) const fn check(&self, version: Version) -> Result<(), Error> {
        match version {
            Version::Http11 if !self.host => Err(Error::MissingHost),
            Version::Http11 if self.unknown => Err(Error::UnknownExpectation),
            _ => Ok(()),
        }
    }

    /// Whether the client waits for a word before it sends content. HTTP/1.0 has no such word, and
    /// a field that asks for it there does not count (RFC 9110, 10.1.1).
    pub(crate) fn expects_continue(&self, version: Version) -> bool {
        self.hundred_continue && version == Version::Http11
    }
}

/// `uri-host [ ":" port ]` (RFC 9110, 7.2). Empty is right where the target has no authority.
pub(crate) fn is_authority(octets: &[u8]) -> bool {
    let (host, port) = match octets {
        [b'[', rest @ ..] => {
            let Some(end) = memchr(b']', rest) else { return false };
            (end > 0 && all_in(&HOST_LITERAL, &rest[..end]), &rest[end + 1..])
        }
        _ => {
            let end = memchr(b':', octets).unwrap_or(octets.len());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in ["", "a", "a.example:80", "a:", "127.0.0.1:65535", "[::1]", "[v1.x]:8", "%41"] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            ":80", ":", "a:65536", "a:+1", "a:b", "a b", "a/", "me@a", "[]", "[::1", "[::1]a",
            "::1",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn http10_demands_nothing() {
        let mut demands = Demands::default();
        demands.expect(b"the impossible");
        demands.expect(b"100-continue");
        assert_eq!(demands.check(Version::Http10), Ok(()));
        assert!(!demands.expects_continue(Version::Http10));
        assert!(demands.expects_continue(Version::Http11));
    }
}
