//! What a gateway passes on can be read in one way only, whatever it was made of.
//!
//! A message is smuggled where two readers find the end of the one before it in different places.
//! So a suspicious reader looks at all that goes out, and there must be nothing in it about which
//! backends, or clients, have ever disagreed.

mod fixture;
mod mutant;

use mutant::each_mutant;
use std::cell::Cell;
use wire::Buffer;
use wire::http1::gateway::{Forwarder, Gateway, Heard, Progress};
use wire::http1::{Limits, RequestMethod};

const MUTANTS: usize = 100_000;
/// Octets of a buffer: more than any mutant.
const ROOM: usize = 4096;
const BY: Forwarder<'_> =
    Forwarder { client: b"192.0.2.7", host: b"h", date: &|| *b"Sun, 06 Nov 1994 08:49:37 GMT" };
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What goes to backends of a stream of requests: those that are whole, one by one.
fn requests_of(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut gateway = Gateway::new(Limits::default());
    let [mut client_in, mut upstream_in] = [Buffer::new(ROOM), Buffer::new(ROOM)];
    let mut requests = Vec::new();
    client_in.push(stream);
    loop {
        let [mut client_out, mut upstream_out] = [Buffer::new(ROOM), Buffer::new(ROOM)];
        match gateway.hear(&mut client_in) {
            Ok(Heard::Request) => assert!(gateway.forward(&client_in, &BY, &mut upstream_out)),
            Ok(Heard::Here) => {
                gateway.answer_here(&BY, &mut client_in, &mut client_out);
                continue;
            }
            Ok(Heard::Nothing) | Err(_) => return requests,
        }
        gateway.commit(&mut client_in);
        let carried = gateway.carry(&mut client_in, &mut upstream_out);
        if carried.is_err() || gateway.wants_content() {
            return requests;
        }
        requests.push(upstream_out.filled().to_vec());
        upstream_in.push(OK);
        let progress = gateway.answer(&mut upstream_in, &BY, &mut client_out);
        assert!(matches!(progress, Ok(Progress::Done(_))), "{progress:?}");
        gateway.next(&mut client_in);
    }
}

/// What goes to a client of the reply to a request of that method, if it is whole.
fn reply_of(stream: &[u8], method: &str) -> Option<Vec<u8>> {
    let mut gateway = Gateway::new(Limits::default());
    let [mut client_in, mut upstream_in] = [Buffer::new(ROOM), Buffer::new(ROOM)];
    client_in.push(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    assert_eq!(gateway.hear(&mut client_in), Ok(Heard::Request));
    gateway.commit(&mut client_in);
    upstream_in.push(stream);
    let mut reply = Vec::new();
    loop {
        let mut client_out = Buffer::new(ROOM);
        let left = upstream_in.len();
        let mut progress = gateway.answer(&mut upstream_in, &BY, &mut client_out).ok()?;
        if progress == Progress::Waits && upstream_in.len() == left {
            progress = gateway.answer_ends(&mut client_out).ok()?;
        }
        reply.extend_from_slice(client_out.filled());
        if progress != Progress::Waits {
            return Some(reply);
        }
    }
}

/// The position after the first `mark`.
fn after(octets: &[u8], mark: &[u8]) -> Option<usize> {
    octets.windows(mark.len()).position(|part| part == mark).map(|place| place + mark.len())
}

/// Whether there are no control characters in it but tabs.
fn is_text(octets: &[u8]) -> bool {
    octets.iter().all(|&octet| octet == b'\t' || !octet.is_ascii_control())
}

/// The values of the fields of that name, if the lines of the head end alike, and each field is one
/// at first sight: with no control characters, and with a name before the colon that has no space
/// around it.
fn values<'a>(head: &'a [u8], wanted: &str) -> Option<Vec<&'a [u8]>> {
    let mut rest = &head[after(head, b"\r\n")?..];
    let mut found = Vec::new();
    while rest != b"\r\n" {
        let (line, others) = rest.split_at(after(rest, b"\r\n")?);
        let colon = line.iter().position(|&octet| octet == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..line.len() - 2]);
        let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        if !is_name || !is_text(value) {
            return None;
        }
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            found.push(value.trim_ascii());
        }
        rest = others;
    }
    Some(found)
}

/// Whether chunks have sizes that are nothing but digits, and end with the octets.
fn are_plain_chunks(octets: &[u8]) -> Option<()> {
    let (line, rest) = octets.split_at(after(octets, b"\r\n")?);
    let digits = std::str::from_utf8(&line[..line.len() - 2]).ok()?;
    let size = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let size = size.then(|| usize::from_str_radix(digits, 16).ok())??;
    let rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    match size {
        0 => rest.is_empty().then_some(()),
        _ => are_plain_chunks(rest),
    }
}

/// Whether these digits, and nothing else, are that number.
fn is_number(octets: &[u8], number: usize) -> bool {
    let digits = std::str::from_utf8(octets).ok().filter(|text| !text.starts_with('+'));
    digits.and_then(|digits| digits.parse().ok()) == Some(number)
}

/// Whether the message says once at most how long it is, plainly, and ends there.
fn is_plain(message: &[u8]) -> Option<()> {
    let (head, content) = message.split_at(after(message, b"\r\n\r\n")?);
    let first = &head[..after(head, b"\r\n")? - 2];
    let lengths = values(head, "content-length")?;
    let codings = values(head, "transfer-encoding")?;
    let ends_there = match (&lengths[..], &codings[..]) {
        ([], []) => content.is_empty(),
        ([length], []) => is_number(length, content.len()),
        ([], [b"chunked"]) => are_plain_chunks(content).is_some(),
        _ => false,
    };
    (ends_there && is_text(first)).then_some(())
}

/// The same of a reply. Interim ones may stand before it, and some have no content, whatever they
/// say.
fn is_plain_reply(reply: &[u8], method: &str) -> Option<()> {
    let (head, rest) = reply.split_at(after(reply, b"\r\n\r\n")?);
    let status = reply.get(b"HTTP/1.1 ".len()..b"HTTP/1.1 200".len())?;
    match status {
        [b'1', ..] => is_plain(head).and_then(|()| is_plain_reply(rest, method)),
        b"204" | b"304" => rest.is_empty().then_some(()),
        _ if method == "HEAD" => rest.is_empty().then_some(()),
        _ => is_plain(reply),
    }
}

#[test]
fn every_request_that_is_passed_on_is_plain() {
    let count = Cell::new(0);
    each_mutant(
        &fixture::requests(),
        MUTANTS,
        |case| &mut case.client,
        |case, _| {
            for request in requests_of(&case.client) {
                count.set(count.get() + 1);
                let hosts =
                    after(&request, b"\r\n\r\n").and_then(|end| values(&request[..end], "host"));
                let one_host = hosts.is_some_and(|hosts| hosts.len() == 1);
                let plain = one_host && is_plain(&request).is_some();
                assert!(plain, "{}\nof {}", request.escape_ascii(), case.client.escape_ascii());
            }
        },
    );
    assert!(count.get() > MUTANTS / 20, "{} are passed on", count.get());
}

#[test]
fn every_reply_that_is_passed_on_is_plain() {
    let count = Cell::new(0);
    each_mutant(
        &fixture::replies(),
        MUTANTS,
        |case| &mut case.server,
        |case, _| {
            let head_only = case.asked.first() == Some(&RequestMethod::Head);
            let method = if head_only { "HEAD" } else { "GET" };
            let Some(reply) = reply_of(&case.server, method) else { return };
            count.set(count.get() + 1);
            let plain = is_plain_reply(&reply, method);
            assert!(plain.is_some(), "{}\nof {}", reply.escape_ascii(), case.server.escape_ascii());
        },
    );
    assert!(count.get() > MUTANTS / 20, "{} are passed on", count.get());
}
