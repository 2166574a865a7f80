//! Echo (RFC 862): what comes in goes out again, octet for octet.

use crate::{Buffer, Protocol, Stage, Status};

/// Sends back what it receives.
///
/// It has no messages: each step that moves something counts as one answer. A client that sends its
/// next message only after the whole reply to the last one makes the two counts agree.
#[derive(Debug, Default)]
pub struct Echo {
    answered: u64,
    closing: bool,
}

impl Protocol for Echo {
    fn advance(&mut self, input: &mut Buffer, output: &mut Buffer) -> Status {
        self.answered += u64::from(input.move_to(output) > 0);
        if self.closing && input.is_empty() { Status::Finished } else { Status::Open }
    }

    fn stage(&self) -> Stage {
        Stage::Between
    }

    fn answered(&self) -> u64 {
        self.answered
    }

    fn close_soon(&mut self) {
        self.closing = true;
    }

    fn expire(&mut self, _output: &mut Buffer) {
        self.closing = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_what_the_output_has_room_for() {
        let (mut input, mut output) = (Buffer::new(8), Buffer::new(3));
        let mut echo = Echo::default();
        input.push(b"hello");
        assert_eq!(echo.advance(&mut input, &mut output), Status::Open);
        assert_eq!((output.filled(), input.filled()), (&b"hel"[..], &b"lo"[..]));
    }

    #[test]
    fn finishes_only_when_all_is_sent_back() {
        let (mut input, mut output) = (Buffer::new(8), Buffer::new(3));
        let mut echo = Echo::default();
        echo.close_soon();
        input.push(b"hello");
        assert_eq!(echo.advance(&mut input, &mut output), Status::Open);
        output.clear();
        assert_eq!(echo.advance(&mut input, &mut output), Status::Finished);
        assert_eq!(output.filled(), b"lo");
    }
}
