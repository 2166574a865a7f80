//! What the content of an HTTP reply is held against, piece by piece as it comes.

use super::id::{Finder, Id};
use crate::fault::Fault;
use crate::plan::Expect;

/// How far the content of the reply under way has been looked at.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Octets that were as expected.
    equal: usize,
    differs: bool,
    finder: Finder,
}

impl Look {
    /// Looks at the next piece of the content of the reply to the request of that name.
    pub(super) fn take(&mut self, expect: &Expect, id: &Id, piece: &[u8]) {
        match expect {
            Expect::Anything => {}
            Expect::Octets(octets) => self.compare(octets, piece),
            Expect::OwnId(_) => self.finder.search(id, piece),
        }
    }

    /// What is wrong with a reply whose content has come to its end.
    pub(super) fn fault(&self, expect: &Expect) -> Option<Fault> {
        match expect {
            Expect::Octets(octets) if self.differs || self.equal < octets.len() => {
                Some(Fault::Mismatch)
            }
            Expect::OwnId(_) if !self.finder.has_found() => Some(Fault::Mispaired),
            _ => None,
        }
    }

    fn compare(&mut self, octets: &[u8], piece: &[u8]) {
        if octets[self.equal..].starts_with(piece) {
            self.equal += piece.len();
        } else {
            self.differs = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn fault(expect: &Expect, pieces: &[&[u8]]) -> Option<Fault> {
        let (mut look, id) = (Look::default(), Id::default());
        pieces.iter().for_each(|piece| look.take(expect, &id, piece));
        look.fault(expect)
    }

    #[test]
    fn content_is_the_same_or_it_is_not() {
        let expect = Expect::Octets(Arc::from(*b"abcabd"));
        assert_eq!(fault(&expect, &[b"abc", b"", b"abd"]), None);
        let wrong: [&[&[u8]]; 5] =
            [&[], &[b"abcab"], &[b"abcabdd"], &[b"abd", b"abcabd"], &[b"abcabc", b"abcabd"]];
        for pieces in wrong {
            assert_eq!(fault(&expect, pieces), Some(Fault::Mismatch), "{pieces:?}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_reply() {
        let expect = Expect::Octets(Arc::default());
        assert_eq!(fault(&expect, &[]), None);
        assert_eq!(fault(&expect, &[b"x"]), Some(Fault::Mismatch));
    }
}
