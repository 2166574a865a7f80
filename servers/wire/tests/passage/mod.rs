//! An exchange through a gateway, between a scripted client and a scripted backend: whatever the
//! cuts, the same octets come out on both sides.

use std::slice::Chunks;

use wire::Buffer;
use wire::http1::gateway::{Forwarder, Gateway, Heard, Progress};
use wire::http1::{Error, Limits};

pub(crate) const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn date() -> [u8; 29] {
    DATE.as_bytes().try_into().unwrap()
}

pub(crate) const BY: Forwarder<'_> =
    Forwarder { client: b"192.0.2.7", host: b"10.0.0.1:80", date: &date };

/// What came out of one exchange, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) to_backend: String,
    pub(crate) to_client: String,
    pub(crate) end: Result<Progress, Error>,
    /// Whether the client may ask again.
    pub(crate) stays: bool,
}

/// What the backend does after its last octet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Waits,
    Closes,
}

/// A gateway, what stands in its buffers, and what has come out of them.
struct Passage {
    gateway: Gateway,
    client_in: Buffer,
    client_out: Buffer,
    upstream_in: Buffer,
    upstream_out: Buffer,
    to_backend: Vec<u8>,
    to_client: Vec<u8>,
}

/// One exchange, with both streams cut into pieces of `piece` octets, and outputs of `room`.
pub(crate) fn exchange(
    request: &str,
    reply: &str,
    then: Then,
    piece: usize,
    room: usize,
) -> Outcome {
    let mut passage = Passage::new(room);
    let asked = passage.ask(request.as_bytes().chunks(piece));
    let end = asked.and_then(|()| passage.reply(reply.as_bytes().chunks(piece), piece, then));
    drain(&mut passage.client_out, &mut passage.to_client);
    if matches!(end, Ok(Progress::Done(_))) {
        passage.gateway.next(&mut passage.client_in);
    }
    Outcome {
        to_backend: String::from_utf8(passage.to_backend).unwrap(),
        to_client: String::from_utf8(passage.to_client).unwrap(),
        end,
        stays: passage.gateway.listens(),
    }
}

impl Passage {
    fn new(room: usize) -> Self {
        let [client_in, upstream_in] = [(); 2].map(|()| Buffer::new(4096));
        let [client_out, upstream_out] = [(); 2].map(|()| Buffer::new(room));
        let gateway = Gateway::new(Limits::default());
        let (to_backend, to_client) = Default::default();
        Self { gateway, client_in, client_out, upstream_in, upstream_out, to_backend, to_client }
    }

    /// The client sends its request, for as long as anybody wants more of it.
    fn ask(&mut self, mut pieces: Chunks<'_, u8>) -> Result<(), Error> {
        while self.hear()? != Heard::Here {
            let carried = self.gateway.carry(&mut self.client_in, &mut self.upstream_out);
            drain(&mut self.upstream_out, &mut self.to_backend);
            carried?;
            match pieces.next() {
                Some(piece) => assert!(self.client_in.push_all(piece)),
                None if self.client_in.is_empty() || !self.gateway.wants_content() => break,
                None => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<Heard, Error> {
        let heard = self.gateway.hear(&mut self.client_in)?;
        match heard {
            Heard::Request => {
                assert!(self.gateway.forward(&self.client_in, &BY, &mut self.upstream_out));
                self.gateway.commit(&mut self.client_in);
            }
            Heard::Here => {
                self.gateway.answer_here(&BY, &mut self.client_in, &mut self.client_out);
            }
            Heard::Nothing => {}
        }
        Ok(heard)
    }

    /// The backend sends its answer, and does then what it does then.
    fn reply(
        &mut self,
        mut pieces: Chunks<'_, u8>,
        piece: usize,
        then: Then,
    ) -> Result<Progress, Error> {
        while self.gateway.asked().is_some() {
            let mut end = self.answer();
            drain(&mut self.client_out, &mut self.to_client);
            if end != Ok(Progress::Waits) {
                return end;
            }
            if self.upstream_in.room() >= piece
                && let Some(piece) = pieces.next()
            {
                assert!(self.upstream_in.push_all(piece));
            } else if then == Then::Closes && pieces.len() == 0 {
                end = self.answer_and_close();
                drain(&mut self.client_out, &mut self.to_client);
            } else if pieces.len() == 0 && self.upstream_in.is_empty() {
                break;
            }
            if end != Ok(Progress::Waits) {
                return end;
            }
        }
        Ok(Progress::Waits)
    }

    fn answer(&mut self) -> Result<Progress, Error> {
        self.gateway.answer(&mut self.upstream_in, &BY, &mut self.client_out)
    }

    /// What is left of the answer, and its end when there is room for that.
    fn answer_and_close(&mut self) -> Result<Progress, Error> {
        match self.answer()? {
            Progress::Waits if self.upstream_in.is_empty() || self.client_out.is_empty() => {
                self.gateway.answer_ends(&mut self.client_out)
            }
            progress => Ok(progress),
        }
    }
}

fn drain(buffer: &mut Buffer, into: &mut Vec<u8>) {
    into.extend_from_slice(buffer.filled());
    buffer.clear();
}

/// The exchange in one piece; checks that all other cuts come to the same.
pub(crate) fn whole(request: &str, reply: &str, then: Then) -> Outcome {
    let outcome = exchange(request, reply, then, 4096, 4096);
    for piece in 1..64 {
        assert_eq!(exchange(request, reply, then, piece, 4096), outcome, "pieces of {piece}");
    }
    outcome
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi";

/// The fields of a head, without those that every test would have to repeat.
pub(crate) fn fields(head: &str) -> Vec<&str> {
    let (head, _) = head.split_once("\r\n\r\n").expect("a head");
    head.split("\r\n").skip(1).collect()
}
