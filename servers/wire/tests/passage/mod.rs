//! An exchange through a gateway, between a scripted client and a scripted backend: whatever the cuts,
//! the same octets come out on both sides.

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

/// One exchange, with both streams cut into pieces of `piece` octets, and outputs of `room`.
pub(crate) fn exchange(
    request: &str,
    reply: &str,
    then: Then,
    piece: usize,
    room: usize,
) -> Outcome {
    let mut gateway = Gateway::new(Limits::default());
    let [mut client_in, mut upstream_in] = [Buffer::new(4096), Buffer::new(4096)];
    let [mut client_out, mut upstream_out] = [Buffer::new(room), Buffer::new(room)];
    let (mut to_backend, mut to_client) = (Vec::new(), Vec::new());
    let mut pieces = request.as_bytes().chunks(piece);
    let mut end = Ok(Progress::Waits);
    while end == Ok(Progress::Waits) {
        match gateway.hear(&mut client_in) {
            Ok(Heard::Nothing) if gateway.listens() => {}
            Ok(Heard::Request) => {
                assert!(gateway.forward(&client_in, &BY, &mut upstream_out));
                gateway.commit(&mut client_in);
            }
            Ok(Heard::Here) => {
                gateway.answer_here(&BY, &mut client_in, &mut client_out);
                break;
            }
            Ok(Heard::Nothing) => {}
            Err(error) => {
                end = Err(error);
                break;
            }
        }
        if let Err(error) = gateway.carry(&mut client_in, &mut upstream_out) {
            end = Err(error);
        }
        drain(&mut upstream_out, &mut to_backend);
        match pieces.next() {
            Some(piece) => assert!(client_in.push_all(piece)),
            None if client_in.is_empty() || !gateway.wants_content() => break,
            None => {}
        }
    }
    let mut pieces = reply.as_bytes().chunks(piece);
    while end == Ok(Progress::Waits) && gateway.asked().is_some() {
        end = gateway.answer(&mut upstream_in, &BY, &mut client_out);
        drain(&mut client_out, &mut to_client);
        if end != Ok(Progress::Waits) {
            break;
        }
        if upstream_in.room() >= piece
            && let Some(piece) = pieces.next()
        {
            assert!(upstream_in.push_all(piece));
        } else if then == Then::Closes && pieces.len() == 0 {
            end = gateway.answer(&mut upstream_in, &BY, &mut client_out);
            if end == Ok(Progress::Waits) && (upstream_in.is_empty() || client_out.is_empty()) {
                end = gateway.answer_ends(&mut client_out);
            }
        } else if pieces.len() == 0 && upstream_in.is_empty() {
            break;
        }
        drain(&mut client_out, &mut to_client);
    }
    drain(&mut client_out, &mut to_client);
    if matches!(end, Ok(Progress::Done(_))) {
        gateway.next(&mut client_in);
    }
    Outcome {
        to_backend: String::from_utf8(to_backend).unwrap(),
        to_client: String::from_utf8(to_client).unwrap(),
        end,
        stays: gateway.listens(),
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
