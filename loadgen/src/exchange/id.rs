//! The name of a request: whoever gets the reply to another one can see it.
//!
//! `r00000000-0000001f-000003e8` is the 1,000th request of connection 31 of agent 0. All names are
//! equally long, so that a request can be made once and then only has its name written into it. The
//! letter `r` is nowhere else in a name, which makes it easy to find one in content that comes in
//! pieces.

use std::fmt::{self, Write};

/// The octets of a name.
pub(super) const LENGTH: usize = 27;

/// Where its three numbers begin: the agent, the connection, the request.
const NUMBERS: [usize; 3] = [1, 10, 19];

/// The name of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id([u8; LENGTH]);

impl Default for Id {
    fn default() -> Self {
        Self(*b"r00000000-00000000-00000000")
    }
}

impl Id {
    /// The name of that agent's request of this seed: 32 bits of connection, 32 of request.
    pub(super) fn new(agent: u32, seed: u64) -> Self {
        let mut id = Self::default();
        for (at, number) in NUMBERS.into_iter().zip([agent, (seed >> 32) as u32, seed as u32]) {
            id.write(at, number);
        }
        id
    }

    pub(super) fn octets(&self) -> &[u8; LENGTH] {
        &self.0
    }

    fn write(&mut self, at: usize, number: u32) {
        for (digit, octet) in self.0[at..at + 8].iter_mut().enumerate() {
            let nibble = number >> (4 * (7 - digit)) & 0xF;
            *octet = b"0123456789abcdef"[nibble as usize];
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&octet| formatter.write_char(octet.into()))
    }
}

/// Looks for a name in content that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// How many octets of it the content has ended with so far; all of them once it was found.
    matched: usize,
}

impl Finder {
    /// Looks at the next piece.
    pub(super) fn search(&mut self, id: &Id, piece: &[u8]) {
        for &octet in piece {
            if self.has_found() {
                return;
            }
            self.matched = match octet {
                _ if octet == id.0[self.matched] => self.matched + 1,
                b'r' => 1,
                _ => 0,
            };
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.matched == LENGTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(content: &[u8], piece: usize) -> bool {
        let mut finder = Finder::default();
        content.chunks(piece).for_each(|piece| finder.search(&Id::new(0, 31 << 32 | 1000), piece));
        finder.has_found()
    }

    #[test]
    fn it_says_who_asked() {
        assert_eq!(Id::new(7, 31 << 32 | 1000).octets(), b"r00000007-0000001f-000003e8");
        assert_eq!(Id::new(u32::MAX, u64::MAX).octets(), b"rffffffff-ffffffff-ffffffff");
    }

    #[test]
    fn it_is_found_wherever_it_is_and_however_it_is_cut() {
        for content in [
            "r00000000-0000001f-000003e8",
            "X-Request-Id: r00000000-0000001f-000003e8\r\n",
            "rr00r00000000-0000001r00000000-0000001f-000003e8r",
        ] {
            for piece in 1..=content.len() {
                assert!(finds(content.as_bytes(), piece), "{content} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn another_one_is_not_it() {
        for content in ["", "r00000000-0000001f-000003e", "r00000000-0000001f-000003e9"] {
            assert!((1..30).all(|piece| !finds(content.as_bytes(), piece)), "{content}");
        }
    }
}
