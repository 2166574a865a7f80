//! A bounded queue of octets in one piece of memory.
//!
//! ```text
//!   0        start             end             capacity
//!   | consumed |     filled     |     spare     |
//! ```
//!
//! Reading from a socket goes into `spare`, a parser looks at `filled`. When all is consumed both
//! ends return to 0, so in the common case (a whole request in one read) nothing is ever moved.

/// A bounded queue of octets: filled at the end, consumed at the start.
#[derive(Debug)]
pub struct Buffer {
    octets: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer that holds at most `capacity` octets.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { octets: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// The octets waiting to be consumed.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    /// How many octets wait to be consumed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing waits to be consumed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many octets it holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.octets.len()
    }

    /// How many more octets it can take.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    /// The free space, in one piece. Write into it, then [`commit`](Self::commit) what was written.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start > 0 && self.end == self.octets.len() {
            self.compact();
        }
        &mut self.octets[self.end..]
    }

    /// Makes [`spare`](Self::spare) at least `count` octets long, if there is that much room at
    /// all; says whether there is.
    #[must_use]
    pub fn reserve(&mut self, count: usize) -> bool {
        let fits = count <= self.room();
        if fits && count > self.octets.len() - self.end {
            self.compact();
        }
        fits
    }

    /// Adds the first `count` octets of [`spare`](Self::spare) to the filled ones.
    ///
    /// # Panics
    /// If `count` is more than the spare space.
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.octets.len() - self.end, "more committed than was spare");
        self.end += count;
    }

    /// Drops the first `count` of the filled octets.
    ///
    /// # Panics
    /// If fewer are filled.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.len(), "more consumed than was filled");
        self.start += count;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Appends as much of `octets` as there is room for, and says how many that was.
    pub fn push(&mut self, octets: &[u8]) -> usize {
        let count = octets.len().min(self.room());
        if count > self.octets.len() - self.end {
            self.compact();
        }
        self.octets[self.end..self.end + count].copy_from_slice(&octets[..count]);
        self.end += count;
        count
    }

    /// Appends all of `octets` or, when there is not enough room, nothing.
    #[must_use]
    pub fn push_all(&mut self, octets: &[u8]) -> bool {
        let fits = octets.len() <= self.room();
        if fits {
            self.push(octets);
        }
        fits
    }

    /// Moves as much as fits from the front of `self` to the end of `other`; says how much.
    pub fn move_to(&mut self, other: &mut Self) -> usize {
        let count = other.push(self.filled());
        self.consume(count);
        count
    }

    fn compact(&mut self) {
        self.octets.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_no_more_than_its_capacity() {
        let mut buffer = Buffer::new(4);
        assert_eq!(buffer.push(b"abcdef"), 4);
        assert_eq!(buffer.filled(), b"abcd");
        assert_eq!(buffer.room(), 0);
        assert!(!buffer.push_all(b"x"));
    }

    #[test]
    fn consumed_space_becomes_room_again() {
        let mut buffer = Buffer::new(4);
        buffer.push(b"abcd");
        buffer.consume(3);
        assert_eq!(buffer.push(b"efgh"), 3);
        assert_eq!(buffer.filled(), b"defg");
    }

    #[test]
    fn spare_is_all_the_room_once_the_end_is_reached() {
        let mut buffer = Buffer::new(4);
        buffer.push(b"abcd");
        buffer.consume(1);
        buffer.spare()[0] = b'e';
        buffer.commit(1);
        assert_eq!(buffer.filled(), b"bcde");
    }

    #[test]
    fn reserved_room_is_in_one_piece() {
        let mut buffer = Buffer::new(4);
        buffer.push(b"abc");
        buffer.consume(2);
        assert_eq!(buffer.spare().len(), 1);
        assert!(buffer.reserve(3));
        assert_eq!((buffer.spare().len(), buffer.filled()), (3, &b"c"[..]));
        assert!(!buffer.reserve(4));
    }

    #[test]
    fn moves_what_fits() {
        let (mut from, mut to) = (Buffer::new(4), Buffer::new(3));
        from.push(b"abcd");
        assert_eq!(from.move_to(&mut to), 3);
        assert_eq!((from.filled(), to.filled()), (&b"d"[..], &b"abc"[..]));
    }
}
