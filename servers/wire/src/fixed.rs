//! A fixed reply: whatever a client says, it hears the same.
//!
//! It is the smallest server that can stand behind a relay, and the one to count correct replies
//! with. TCP keeps no boundaries between messages, so a message is a number of octets: then it does
//! not matter into how many segments a client, or a relay between the two, has cut it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::{Buffer, Protocol, Stage, Status};

/// Answers each message of a fixed length with the same octets.
#[derive(Debug)]
pub struct Fixed {
    reply: Arc<[u8]>,
    message: NonZeroUsize,
    /// Octets of the message under way that have come.
    come: usize,
    /// Octets of the reply under way that are still to be sent.
    unsent: usize,
    answered: u64,
    closing: bool,
}

impl Fixed {
    /// Answers `message` octets with `reply`, as often as they come.
    #[must_use]
    pub fn new(message: NonZeroUsize, reply: Arc<[u8]>) -> Self {
        Self { reply, message, come: 0, unsent: 0, answered: 0, closing: false }
    }

    /// Sends what there is room for of the reply under way; says whether that was all of it.
    fn reply(&mut self, output: &mut Buffer) -> bool {
        let rest = &self.reply[self.reply.len() - self.unsent..];
        self.unsent -= output.push(rest);
        self.unsent == 0
    }

    /// Takes what has come of a message; says whether that was the end of it.
    fn hear(&mut self, input: &mut Buffer) -> bool {
        let count = input.len().min(self.message.get() - self.come);
        input.consume(count);
        self.come += count;
        self.come == self.message.get()
    }
}

impl Protocol for Fixed {
    fn advance(&mut self, input: &mut Buffer, output: &mut Buffer) -> Status {
        while self.reply(output) && self.hear(input) {
            self.come = 0;
            self.unsent = self.reply.len();
            self.answered += 1;
        }
        let silent = self.unsent == 0 && self.come == 0;
        if self.closing && silent { Status::Finished } else { Status::Open }
    }

    fn stage(&self) -> Stage {
        if self.come > 0 { Stage::Within } else { Stage::Between }
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn close_soon(&mut self) {
        self.closing = true;
    }

    fn expire(&mut self, _output: &mut Buffer) {
        self.closing = true;
        (self.come, self.unsent) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Hi from client";

    fn fixed(reply: &str) -> Fixed {
        let length = NonZeroUsize::new(MESSAGE.len()).expect("a message has octets");
        Fixed::new(length, reply.as_bytes().into())
    }

    /// All that is answered to `octets` when they come in pieces of that many, to a client that
    /// reads through a buffer of that size.
    fn answers(fixed: &mut Fixed, octets: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let (mut input, mut output) = (Buffer::new(octets.len()), Buffer::new(room));
        let mut heard = Vec::new();
        for octets in octets.chunks(piece) {
            input.push(octets);
            loop {
                assert_eq!(fixed.advance(&mut input, &mut output), Status::Open);
                if output.is_empty() {
                    break;
                }
                heard.extend_from_slice(output.filled());
                output.clear();
            }
        }
        heard
    }

    #[test]
    fn a_message_has_one_reply_however_it_is_cut() {
        let messages = MESSAGE.repeat(3);
        for piece in 1..=messages.len() {
            for room in [1, 5, 64] {
                let mut fixed = fixed("Hello, world!\n");
                let heard = answers(&mut fixed, &messages, piece, room);
                assert_eq!(heard, b"Hello, world!\n".repeat(3), "pieces of {piece}, room {room}");
                assert_eq!(fixed.answered(), 3);
            }
        }
    }

    #[test]
    fn half_a_message_has_no_reply() {
        let mut fixed = fixed("Hello");
        assert_eq!(answers(&mut fixed, &MESSAGE[1..], 4, 64), b"");
        assert_eq!((fixed.stage(), fixed.answered()), (Stage::Within, 0));
    }

    #[test]
    fn it_ends_between_messages_or_when_patience_does() {
        let (mut input, mut output) = (Buffer::new(64), Buffer::new(64));
        let mut fixed = fixed("Hello");
        fixed.close_soon();
        input.push(&MESSAGE[..3]);
        assert_eq!(fixed.advance(&mut input, &mut output), Status::Open);
        input.push(&MESSAGE[3..]);
        assert_eq!(fixed.advance(&mut input, &mut output), Status::Finished);
        assert_eq!(output.filled(), b"Hello");
        input.push(&MESSAGE[..3]);
        assert_eq!(fixed.advance(&mut input, &mut output), Status::Open);
        fixed.expire(&mut output);
        assert_eq!(fixed.advance(&mut input, &mut output), Status::Finished);
    }
}
