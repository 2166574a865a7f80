//! Every fixture gives what it says, and the same however it is cut on its way.

mod conversation;
mod fixture;
mod site;

use conversation::{Received, Road, WIDE, receive, serve};
use fixture::Case;
use wire::Status;
use wire::http1::{Error, LEAST_OUTPUT};

/// A stream shorter than this is cut at every pair of places, and not only at every place.
const SHORT: usize = 80;

#[test]
fn requests_are_answered_as_written() {
    for case in fixture::requests() {
        let served = serve(&case, [&case.client[..]], WIDE);
        let expected = expected(&case);
        assert_eq!(
            served.octets.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{}",
            case.title
        );
        let closes = case.closes || case.error.is_some();
        assert_eq!(served.status == Status::Finished, closes, "{}", case.title);
        assert!(closes || served.consumed == case.client.len() || served.octets.is_empty());
    }
}

#[test]
fn replies_are_read_as_written() {
    for case in fixture::replies() {
        let received = receive(&case, [&case.server[..]]);
        let expected = Received {
            replies: case.replies.clone(),
            body: case.body.clone(),
            consumed: received.consumed,
            error: case.error,
        };
        assert_eq!(received, expected, "{}", case.title);
        let all = received.consumed == case.server.len();
        assert!(all || case.error.is_some(), "{}", case.title);
    }
}

#[test]
fn every_rule_has_a_fixture() {
    let cases = fixture::all();
    for error in Error::ALL {
        assert!(cases.iter().any(|case| case.error == Some(*error)), "{error:?}");
    }
}

#[test]
fn requests_do_not_depend_on_cuts() {
    for case in fixture::requests() {
        let whole = serve(&case, [&case.client[..]], WIDE);
        each_cut(&case.client, |pieces| {
            let cut = serve(&case, pieces.iter().copied(), WIDE);
            assert_eq!(cut, whole, "{}: {}", case.title, shown(pieces));
        });
    }
}

#[test]
fn replies_do_not_depend_on_cuts() {
    for case in fixture::replies() {
        let whole = receive(&case, [&case.server[..]]);
        each_cut(&case.server, |pieces| {
            let cut = receive(&case, pieces.iter().copied());
            assert_eq!(cut, whole, "{}: {}", case.title, shown(pieces));
        });
    }
}

#[test]
fn answers_do_not_depend_on_the_room_for_them() {
    for case in fixture::requests() {
        let whole = serve(&case, [&case.client[..]], WIDE);
        each_road(|road| {
            assert_eq!(serve(&case, [&case.client[..]], road), whole, "{}: {road:?}", case.title);
            let octets = case.client.chunks(1);
            assert_eq!(serve(&case, octets, road), whole, "{}: {road:?}", case.title);
        });
    }
}

/// The answers that a case expects, the one to a broken rule included.
fn expected(case: &Case) -> Vec<u8> {
    let Some(error) = case.error else { return case.server.clone() };
    let (status, rule) = (error.status(), error.rule());
    let answer = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{rule}",
        status.code(),
        status.reason(),
        rule.len()
    );
    [&case.server[..], answer.as_bytes()].concat()
}

/// Octet by octet, cut once anywhere, and, if short, cut twice anywhere.
fn each_cut(stream: &[u8], mut check: impl FnMut(&[&[u8]])) {
    check(&stream.chunks(1).collect::<Vec<_>>());
    for first in 0..=stream.len() {
        let (head, rest) = stream.split_at(first);
        check(&[head, rest]);
        for second in (0..rest.len()).filter(|_| stream.len() < SHORT) {
            let (middle, tail) = rest.split_at(second);
            check(&[head, middle, tail]);
        }
    }
}

/// From the least room to plenty, emptied at once or octet by octet.
fn each_road(mut check: impl FnMut(Road)) {
    for output in LEAST_OUTPUT..LEAST_OUTPUT + 40 {
        for taken in [1, 7, output] {
            check(Road { output, taken });
        }
    }
}

fn shown(pieces: &[&[u8]]) -> String {
    pieces.iter().map(|piece| format!("{:?} ", piece.escape_ascii().to_string())).collect()
}
