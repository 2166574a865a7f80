//! A fixed reply: each message has to be answered with the same octets, neither more nor fewer.

use wire::Buffer;

use super::{Exchange, Step, Then, Turn};
use crate::exchange::Echo;
use crate::fault::Fault;
use crate::plan::Message;

/// Sends messages and compares what comes back with what always has to come back.
#[derive(Debug)]
pub struct Fixed {
    messages: Echo,
    reply: Box<[u8]>,
}

impl Fixed {
    /// An exchange of these messages for this reply; neither may be empty.
    #[must_use]
    pub fn new(message: &Message, reply: &str) -> Self {
        Self { messages: Echo::new(message), reply: reply.as_bytes().into() }
    }
}

impl Exchange for Fixed {
    /// How much of the reply is there.
    type Dialogue = usize;

    fn request<'a>(&'a self, _received: &'a usize, seed: u64, _turn: Turn) -> &'a [u8] {
        self.messages.message(seed)
    }

    fn begin(&self, _received: &mut usize, _seed: u64, _turn: Turn) {}

    fn expect(&self, received: &mut usize, _seed: u64) {
        *received = 0;
    }

    fn resume(&self, _received: &mut usize, input: &mut Buffer) {
        input.clear();
    }

    fn receive(&self, received: &mut usize, input: &mut Buffer) -> Step {
        let expected = &self.reply[*received..];
        let count = input.len().min(expected.len());
        if input.filled()[..count] != expected[..count] {
            return Step::Failed(Fault::Mismatch, Then::Close);
        }
        input.consume(count);
        *received += count;
        if count == expected.len() { Step::Answered(Then::Reuse) } else { Step::Partial }
    }

    fn end_of_input(&self, _received: &mut usize) -> Step {
        Step::Failed(Fault::Closed, Then::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = "Hello, world!\n";

    /// The steps that these octets lead to when they come in pieces of that many.
    fn steps(octets: &[u8], piece: usize) -> Vec<Step> {
        let fixed = Fixed::new(&Message::Text("Hi from client".to_owned()), REPLY);
        let mut received = 0;
        let receive = |piece: &[u8]| {
            let mut input = Buffer::new(64);
            fixed.resume(&mut received, &mut input);
            input.push(piece);
            fixed.receive(&mut received, &mut input)
        };
        octets.chunks(piece).map(receive).collect()
    }

    #[test]
    fn takes_the_reply_however_it_is_cut() {
        for piece in 1..=REPLY.len() {
            let steps = steps(REPLY.as_bytes(), piece);
            let (last, first) = steps.split_last().expect("there is a piece");
            assert_eq!(*last, Step::Answered(Then::Reuse));
            assert!(first.iter().all(|step| *step == Step::Partial), "{first:?}");
        }
    }

    #[test]
    fn one_wrong_octet_anywhere_is_found() {
        for at in 0..REPLY.len() {
            let mut octets = REPLY.as_bytes().to_vec();
            octets[at] ^= 1;
            let wrong = Step::Failed(Fault::Mismatch, Then::Close);
            assert_eq!(steps(&octets, octets.len()), [wrong]);
        }
    }
}
