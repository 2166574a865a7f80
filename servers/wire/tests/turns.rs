//! What a gateway must not take along: from one connection to the other, and from one exchange of a
//! client to the next.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod passage;

use passage::{BY, GET, OK, Then, fields, whole};
use wire::Buffer;
use wire::http1::gateway::{Gateway, Heard, Progress, Reuse};
use wire::http1::{Answer, Error, Limits, StatusCode};

/// What stands in a buffer.
fn text(buffer: &Buffer) -> String {
    String::from_utf8_lossy(buffer.filled()).into_owned()
}

/// A gateway, and the buffers that it reads from and writes to.
fn gateway() -> (Gateway, [Buffer; 4]) {
    (Gateway::new(Limits::default()), [(); 4].map(|()| Buffer::new(4096)))
}

#[test]
fn what_any_connection_field_names_ends_here_and_so_does_what_trailers_are_announced() {
    let request = "GET / HTTP/1.1\r\nConnection: x-one\r\nX-One: 1\r\nX-Two: 2\r\n\
                   Trailer: X-Sum\r\nKeep-Alive: 5\r\nConnection: X-Two\r\nHost: h\r\n\r\n";
    let outcome = whole(request, OK, Then::Waits);
    let expected = ["Host: h", "Via: 1.1 servers", "X-Forwarded-For: 192.0.2.7"];
    assert_eq!(fields(&outcome.to_backend), expected);
    let hints = "HTTP/1.1 103 Early Hints\r\nConnection: X-Inner\r\nX-Inner: 1\r\nA: b\r\n\r\n";
    let outcome = whole(GET, &format!("{hints}{OK}"), Then::Closes);
    assert_eq!(fields(&outcome.to_client), ["A: b"]);
}

#[test]
fn a_head_request_gets_no_content_from_the_gateway_either() {
    let no_host = Err(Error::MissingHost);
    for (fields, heard) in [("Host: h\r\n", Ok(Heard::Request)), ("", no_host)] {
        let (mut gateway, [mut input, mut output, ..]) = gateway();
        input.push(format!("HEAD / HTTP/1.1\r\n{fields}\r\n").as_bytes());
        assert_eq!(gateway.hear(&mut input), heard);
        let answer = Answer::text(StatusCode::BAD_GATEWAY, "No.\n");
        gateway.answer_by_self(answer, &BY, &mut input, &mut output);
        let answer = text(&output);
        assert!(answer.contains("\r\nContent-Length: 4\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "the next answer would begin with it: {answer}");
    }
}

#[test]
fn each_request_may_have_as_much_before_it_and_before_its_answer_as_the_first() {
    let hints = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(10);
    let (mut gateway, [mut client_in, mut upstream_out, mut upstream_in, mut client_out]) =
        gateway();
    for round in 1..=3 {
        client_in.push(format!("\r\n\r\n{GET}").as_bytes());
        assert_eq!(gateway.hear(&mut client_in), Ok(Heard::Request), "round {round}");
        assert!(gateway.forward(&client_in, &BY, &mut upstream_out));
        upstream_in.push(format!("{hints}{OK}").as_bytes());
        let mut progress = Ok(Progress::Waits);
        while progress == Ok(Progress::Waits) {
            client_out.clear();
            progress = gateway.answer(&mut upstream_in, &BY, &mut client_out);
        }
        assert_eq!(progress, Ok(Progress::Done(Reuse::Yes)), "round {round}");
        gateway.next(&mut client_in);
    }
    assert_eq!(gateway.answered(), 3);
}

/// To it, the head of the next request would be more of this one's content.
#[test]
fn a_backend_that_answers_before_it_has_all_of_a_request_is_not_asked_again() {
    let (mut gateway, [mut client_in, mut upstream_out, mut upstream_in, mut client_out]) =
        gateway();
    client_in.push(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    assert_eq!(gateway.hear(&mut client_in), Ok(Heard::Request));
    gateway.commit(&mut client_in);
    assert_eq!(gateway.carry(&mut client_in, &mut upstream_out), Ok(()));
    upstream_in.push(OK.as_bytes());
    let progress = gateway.answer(&mut upstream_in, &BY, &mut client_out);
    assert_eq!(progress, Ok(Progress::Done(Reuse::No)));
}

#[test]
fn who_is_to_stop_still_hears_a_request_that_has_begun_and_no_other() {
    let (mut gateway, [mut input, mut output, ..]) = gateway();
    let (begun, rest) = GET.split_at(9);
    input.push(begun.as_bytes());
    gateway.close_soon();
    assert_eq!(gateway.hear(&mut input), Ok(Heard::Nothing));
    assert!(gateway.listens());
    input.push(rest.as_bytes());
    assert_eq!(gateway.hear(&mut input), Ok(Heard::Request));
    gateway.answer_by_self(Answer::text(StatusCode::BAD_GATEWAY, ""), &BY, &mut input, &mut output);
    assert!(text(&output).contains("\r\nConnection: close\r\n"));
    assert!(gateway.is_finished());
}

#[test]
fn how_long_a_request_may_be_says_nothing_of_its_answer() {
    let limits = Limits { body: 1, ..Limits::default() };
    for answer in [
        "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        let (_, [mut client_in, _, mut upstream_in, mut client_out]) = gateway();
        let mut gateway = Gateway::new(limits);
        client_in.push(GET.as_bytes());
        assert_eq!(gateway.hear(&mut client_in), Ok(Heard::Request));
        gateway.commit(&mut client_in);
        upstream_in.push(answer.as_bytes());
        let progress = gateway.answer(&mut upstream_in, &BY, &mut client_out);
        assert_eq!(progress, Ok(Progress::Done(Reuse::Yes)), "{answer}");
    }
}
