//! Echo: what was sent has to come back, octet for octet and nothing else.
//!
//! A server that answers one client with another's octets, or with those of an earlier message,
//! must not get away with it. Generated messages are therefore windows into one fixed pseudo-random
//! pattern, and each request looks at another place of it. That costs a multiplication: nothing is
//! copied or generated per request, and the reply is compared with the same piece of memory.

use wire::Buffer;

use super::{Exchange, Step, Then, Turn};
use crate::fault::Fault;
use crate::plan::Message;

/// How many different windows there are. The pattern stays inside a first-level cache as long as
/// the messages are small.
const WINDOWS: usize = 4096;

/// Sends messages and compares what comes back.
#[derive(Debug)]
pub struct Echo {
    pattern: Box<[u8]>,
    length: usize,
    windows: u64,
}

/// The window of the message that is out, and how much of it is back.
#[derive(Debug, Default)]
pub struct Dialogue {
    window: usize,
    received: usize,
}

impl Echo {
    /// An exchange of these messages, which must not be empty.
    #[must_use]
    pub fn new(message: &Message) -> Self {
        match message {
            Message::Text(text) => {
                Self { pattern: text.as_bytes().into(), length: text.len(), windows: 1 }
            }
            Message::Varied(length) => {
                let pattern = pseudo_random(length + WINDOWS - 1);
                Self { pattern, length: *length, windows: WINDOWS as u64 }
            }
        }
    }
}

impl Exchange for Echo {
    type Dialogue = Dialogue;

    fn request<'a>(&'a self, _dialogue: &'a Dialogue, seed: u64, _turn: Turn) -> &'a [u8] {
        self.message(seed)
    }

    fn begin(&self, _dialogue: &mut Dialogue, _seed: u64, _turn: Turn) {}

    fn expect(&self, dialogue: &mut Dialogue, seed: u64) {
        *dialogue = Dialogue { window: self.window(seed), received: 0 };
    }

    fn resume(&self, _dialogue: &mut Dialogue, input: &mut Buffer) {
        input.clear();
    }

    fn receive(&self, dialogue: &mut Dialogue, input: &mut Buffer) -> Step {
        let reply = &self.pattern[dialogue.window..dialogue.window + self.length];
        let expected = &reply[dialogue.received..];
        let count = input.len().min(expected.len());
        if input.filled()[..count] != expected[..count] {
            return Step::Failed(Fault::Mismatch, Then::Close);
        }
        input.consume(count);
        dialogue.received += count;
        if count == expected.len() { Step::Answered(Then::Reuse) } else { Step::Partial }
    }

    fn end_of_input(&self, _dialogue: &mut Dialogue) -> Step {
        Step::Failed(Fault::Closed, Then::Close)
    }
}

impl Echo {
    /// The octets of a message.
    pub(super) fn message(&self, seed: u64) -> &[u8] {
        let window = self.window(seed);
        &self.pattern[window..window + self.length]
    }

    fn window(&self, seed: u64) -> usize {
        (scatter(seed) % self.windows) as usize
    }
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4): neighbours
/// land far apart. The high bits are the good ones.
fn scatter(seed: u64) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Octets of the SplitMix64 generator (Steele, Lea, Flood 2014), the same in each run.
fn pseudo_random(length: usize) -> Box<[u8]> {
    let mut state = 0_u64;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    (0..length).map(|_| next() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(echo: &Echo, seed: u64) -> (Dialogue, Vec<u8>) {
        let mut dialogue = Dialogue::default();
        echo.begin(&mut dialogue, seed, Turn::More);
        echo.expect(&mut dialogue, seed);
        (dialogue, echo.message(seed).to_vec())
    }

    fn answer(echo: &Echo, dialogue: &mut Dialogue, octets: &[u8]) -> Step {
        let mut input = Buffer::new(1024);
        echo.resume(dialogue, &mut input);
        input.push(octets);
        echo.receive(dialogue, &mut input)
    }

    #[test]
    fn takes_a_reply_in_pieces() {
        let echo = Echo::new(&Message::Varied(100));
        let (mut dialogue, request) = ask(&echo, 7);
        for octet in &request[..99] {
            assert_eq!(answer(&echo, &mut dialogue, &[*octet]), Step::Partial);
        }
        assert_eq!(answer(&echo, &mut dialogue, &request[99..]), Step::Answered(Then::Reuse));
    }

    #[test]
    fn one_wrong_octet_anywhere_is_found() {
        let echo = Echo::new(&Message::Text("hello".to_owned()));
        for at in 0..5 {
            let (mut dialogue, mut octets) = ask(&echo, 1);
            octets[at] ^= 0x80;
            let wrong = Step::Failed(Fault::Mismatch, Then::Close);
            assert_eq!(answer(&echo, &mut dialogue, &octets), wrong);
        }
    }

    #[test]
    fn what_follows_a_reply_is_left_alone() {
        let echo = Echo::new(&Message::Text("hello".to_owned()));
        let (mut dialogue, _) = ask(&echo, 1);
        let mut input = Buffer::new(64);
        input.push(b"hello!");
        assert_eq!(echo.receive(&mut dialogue, &mut input), Step::Answered(Then::Reuse));
        assert_eq!(input.filled(), b"!");
    }

    #[test]
    fn the_reply_to_another_request_is_found() {
        let echo = Echo::new(&Message::Varied(16));
        for seed in 1..2000 {
            let stale = echo.message(seed - 1).to_vec();
            let (mut dialogue, _) = ask(&echo, seed);
            assert_ne!(answer(&echo, &mut dialogue, &stale), Step::Answered(Then::Reuse));
        }
    }
}
