//! Lines and fields, found as they come in.

use memchr::memchr;

use super::Error;
use super::grammar::{TOKEN, is_field_value, is_space, trimmed};

/// Finds the lines at the front of a buffer, looking at each octet once however they arrive.
///
/// Positions count from the first octet waiting in the buffer, so they stay true as long as nothing
/// is consumed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    /// Where the first line not yet returned begins.
    start: usize,
    /// How far it has been searched for its LF.
    searched: usize,
}

impl Lines {
    /// The next line, without its CR LF; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`Error::BareLf`], and `too_long` if the line does not end within the first `limit` octets.
    pub(crate) fn next<'a>(
        &mut self,
        octets: &'a [u8],
        limit: usize,
        too_long: Error,
    ) -> Result<Option<&'a [u8]>, Error> {
        let end = octets.len().min(limit);
        let Some(found) = octets.get(self.searched..end).and_then(|part| memchr(b'\n', part))
        else {
            self.searched = self.searched.max(end);
            return if octets.len() < limit { Ok(None) } else { Err(too_long) };
        };
        let line = &octets[self.start..self.searched + found];
        self.searched += found + 1;
        self.start = self.searched;
        line.strip_suffix(b"\r").ok_or(Error::BareLf).map(Some)
    }

    /// How many octets the lines returned so far take.
    pub(crate) const fn taken(&self) -> usize {
        self.start
    }

    /// Whether any octet has been seen.
    pub(crate) const fn begun(&self) -> bool {
        self.searched > 0
    }
}

/// Splits a field line into name and value (RFC 9112, 5).
///
/// # Errors
/// The rule that it breaks.
#[inline]
pub(crate) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let name = line.iter().take_while(|&&octet| TOKEN[usize::from(octet)]).count();
    if name == 0 || line.get(name) != Some(&b':') {
        return Err(name_error(line, name));
    }
    let value = trimmed(&line[name + 1..]);
    if is_field_value(value) { Ok((&line[..name], value)) } else { Err(control_error(value)) }
}

/// Says which control character is in the way.
#[cold]
pub(crate) fn control_error(octets: &[u8]) -> Error {
    if octets.contains(&b'\r') { Error::BareCr } else { Error::ControlCharacter }
}

/// Says why there is no name followed by a colon; `end` is where the token ends.
#[cold]
fn name_error(line: &[u8], end: usize) -> Error {
    let Some(&octet) = line.get(end) else { return Error::MissingColon };
    match octet {
        octet if end == 0 && is_space(octet) => Error::Folded,
        b':' => Error::EmptyName,
        octet if is_space(octet) && line.contains(&b':') => Error::SpaceInName,
        octet if is_space(octet) => Error::MissingColon,
        octet if octet.is_ascii_control() => control_error(&line[end..]),
        _ => Error::BadName,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_once_it_is_whole() {
        let mut lines = Lines::default();
        let stream = b"ab\r\ncd\r\n";
        for cut in 0..4 {
            assert_eq!(lines.next(&stream[..cut], 99, Error::HeadTooLarge), Ok(None));
        }
        assert_eq!(lines.next(stream, 99, Error::HeadTooLarge), Ok(Some(&b"ab"[..])));
        assert_eq!(lines.next(stream, 99, Error::HeadTooLarge), Ok(Some(&b"cd"[..])));
        assert_eq!(lines.taken(), stream.len());
    }

    #[test]
    fn no_octet_is_looked_at_twice() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(b"abc", 99, Error::HeadTooLarge), Ok(None));
        let changed_behind_its_back = b"a\nc\r\n";
        let line = lines.next(changed_behind_its_back, 99, Error::HeadTooLarge);
        assert_eq!(line, Ok(Some(&b"a\nc"[..])));
    }

    #[test]
    fn the_limit_counts_octets_and_not_reads() {
        let stream = b"abcdef\r\n";
        assert_eq!(Lines::default().next(stream, 7, Error::HeadTooLarge), Err(Error::HeadTooLarge));
        assert_eq!(
            Lines::default().next(&stream[..7], 7, Error::HeadTooLarge),
            Err(Error::HeadTooLarge)
        );
        assert!(Lines::default().next(stream, 8, Error::HeadTooLarge).is_ok());
    }

    #[test]
    fn a_field_is_a_token_a_colon_and_a_value() {
        assert_eq!(field(b"Accept: \t*/*; q=1 \t"), Ok((&b"Accept"[..], &b"*/*; q=1"[..])));
        assert_eq!(field(b"Empty:"), Ok((&b"Empty"[..], &b""[..])));
    }

    #[test]
    fn each_broken_rule_of_a_field_has_its_error() {
        for (line, error) in [
            (&b" folded: x"[..], Error::Folded),
            (b"\tfolded", Error::Folded),
            (b"", Error::MissingColon),
            (b"no-colon", Error::MissingColon),
            (b"no colon", Error::MissingColon),
            (b": x", Error::EmptyName),
            (b"Host : x", Error::SpaceInName),
            (b"Ho st: x", Error::SpaceInName),
            (b"H(st: x", Error::BadName),
            (b"H\xfcst: x", Error::BadName),
            (b"Ho\rst: x", Error::BareCr),
            (b"Ho\0st: x", Error::ControlCharacter),
            (b"Host: x\ry", Error::BareCr),
            (b"Host: x\0y", Error::ControlCharacter),
        ] {
            assert_eq!(field(line), Err(error), "{}", line.escape_ascii());
        }
    }
}
