//! A gateway between a scripted client and a scripted backend.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod passage;

use passage::{BY, DATE, GET, OK, Then, exchange, fields, whole};
use wire::Buffer;
use wire::http1::gateway::{Forwarder, Gateway, Heard, Progress, Repeat, Reuse};
use wire::http1::{Answer, Content, Error, Limits, StatusCode};

#[test]
fn a_request_gets_the_fields_that_say_who_asks_and_a_reply_goes_back_as_it_is() {
    let outcome = whole(GET, OK, Then::Waits);
    assert_eq!(
        outcome.to_backend,
        "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 servers\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
    );
    assert_eq!(
        outcome.to_client,
        "HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\nVia: 1.1 servers\r\n\r\nhi"
    );
    assert_eq!((outcome.end, outcome.stays), (Ok(Progress::Done(Reuse::Yes)), true));
}

#[test]
fn fields_about_this_connection_end_here() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Secret, Host\r\n\
                   x-secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n\
                   Proxy-Connection: x\r\nX-Kept: 2\r\nVia: 1.0 other\r\n\r\n";
    let outcome = whole(request, OK, Then::Waits);
    let expected = [
        "Host: h",
        "X-Kept: 2",
        "Via: 1.0 other",
        "Via: 1.1 servers",
        "X-Forwarded-For: 192.0.2.7",
    ];
    assert_eq!(fields(&outcome.to_backend), expected);
    let reply = "HTTP/1.0 200 OK\r\nConnection: keep-alive, X-Inner\r\nX-Inner: 1\r\n\
                 Content-Length: 0\r\nDate: d\r\n\r\n";
    let outcome = whole(GET, reply, Then::Waits);
    assert_eq!(fields(&outcome.to_client), ["Content-Length: 0", "Date: d", "Via: 1.0 servers"]);
    assert_eq!(outcome.end, Ok(Progress::Done(Reuse::Yes)));
}

#[test]
fn those_who_have_forwarded_it_before_stand_before_the_client() {
    let request = "GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1 \r\nHost: h\r\n\
                   x-forwarded-for: 2.2.2.2, 3.3.3.3\r\nX-Forwarded-For:\r\n\r\n";
    let outcome = whole(request, OK, Then::Waits);
    let last = "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7";
    assert_eq!(fields(&outcome.to_backend), ["Host: h", "Via: 1.1 servers", last]);
}

#[test]
fn the_host_of_an_absolute_target_counts() {
    for (line, expected) in [
        ("GET http://other:81/a?b HTTP/1.1\r\nHost: h", "GET /a?b HTTP/1.1\r\nHost: other:81"),
        ("GET http://other HTTP/1.1\r\nHost: h", "GET / HTTP/1.1\r\nHost: other"),
        ("GET http://other?q HTTP/1.1\r\nHost: h", "GET /?q HTTP/1.1\r\nHost: other"),
        ("OPTIONS http://other HTTP/1.1\r\nHost: h", "OPTIONS * HTTP/1.1\r\nHost: other"),
        ("GET / HTTP/1.0", "GET / HTTP/1.1\r\nHost: 10.0.0.1:80"),
    ] {
        let outcome = whole(&format!("{line}\r\n\r\n"), OK, Then::Waits);
        assert!(outcome.to_backend.starts_with(expected), "{}", outcome.to_backend);
    }
}

#[test]
fn content_is_framed_anew_as_it_came() {
    let request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    assert!(whole(request, OK, Then::Waits).to_backend.ends_with("\r\n\r\nhello"));
    let request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   005;x=y\r\nhello\r\n0\r\nTrailer: gone\r\n\r\n";
    let outcome = whole(request, OK, Then::Waits);
    assert!(outcome.to_backend.contains("Transfer-Encoding: chunked\r\n"));
    assert!(outcome.to_backend.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    assert!(outcome.stays);
}

#[test]
fn a_reply_that_ends_with_the_connection_is_chunked_for_whom_it_can_be() {
    let reply = "HTTP/1.1 200 OK\r\nDate: d\r\n\r\nas long as it lasts";
    let outcome = exchange(GET, reply, Then::Closes, 4096, 4096);
    assert!(outcome.to_client.contains("Transfer-Encoding: chunked\r\n"));
    assert!(outcome.to_client.ends_with("\r\n\r\n13\r\nas long as it lasts\r\n0\r\n\r\n"));
    assert_eq!((outcome.end, outcome.stays), (Ok(Progress::Done(Reuse::No)), true));
    let old = exchange("GET / HTTP/1.0\r\n\r\n", reply, Then::Closes, 7, 4096);
    assert!(old.to_client.contains("Connection: close\r\n"));
    assert!(old.to_client.ends_with("\r\n\r\nas long as it lasts"));
    assert!(!old.stays);
}

#[test]
fn chunks_are_taken_apart_for_http_1_0() {
    let reply =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    let outcome = whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", reply, Then::Waits);
    assert!(outcome.to_client.ends_with("Connection: close\r\n\r\nabc"), "{}", outcome.to_client);
    assert_eq!((outcome.end, outcome.stays), (Ok(Progress::Done(Reuse::Yes)), false));
    assert!(outcome.to_client.contains(DATE), "a reply without a date gets one");
}

#[test]
fn http_1_0_is_told_that_it_may_stay() {
    let outcome = whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK, Then::Waits);
    assert!(outcome.to_client.contains("Connection: keep-alive\r\n"));
    assert!(outcome.stays);
}

#[test]
fn replies_that_have_no_content_have_none() {
    let head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (request, reply) in [
        (head, "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 99\r\n\r\n"),
        (head, "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (GET, "HTTP/1.1 304 Not Modified\r\nDate: d\r\nContent-Length: 99\r\n\r\n"),
        (GET, "HTTP/1.1 204 No Content\r\nDate: d\r\n\r\n"),
        (GET, "HTTP/1.1 204\r\nDate: d\r\n\r\n"),
    ] {
        let outcome = whole(request, reply, Then::Waits);
        assert_eq!((outcome.end, outcome.stays), (Ok(Progress::Done(Reuse::Yes)), true));
        assert!(outcome.to_client.ends_with("\r\n\r\n"));
    }
}

#[test]
fn interim_replies_are_passed_on_to_whom_they_mean_something() {
    let reply =
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n{OK}");
    let post = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx";
    let outcome = whole(post, &reply, Then::Waits);
    assert!(outcome.to_backend.contains("Expect: 100-continue\r\n"));
    let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200";
    assert!(outcome.to_client.starts_with(hints), "{}", outcome.to_client);
    let old = whole("GET / HTTP/1.0\r\n\r\n", &reply, Then::Waits);
    assert!(old.to_client.starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn what_a_backend_says_wrong_is_an_error() {
    for (reply, then, error) in [
        ("HTTP/1.1 200 OK\nDate: d\r\n\r\n", Then::Waits, Error::BareLf),
        ("hello\r\n\r\n", Then::Waits, Error::BadStatusLine),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Then::Waits,
            Error::RepeatedLength,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Then::Waits,
            Error::LengthAndCoding,
        ),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Then::Waits, Error::UnaskedUpgrade),
        ("", Then::Closes, Error::NoReply),
        ("HTTP/1.1 200", Then::Closes, Error::CutShort),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Then::Closes, Error::CutShort),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            Then::Closes,
            Error::CutShort,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            Then::Waits,
            Error::BadChunkSize,
        ),
    ] {
        assert_eq!(whole(GET, reply, then).end, Err(error), "{reply}");
    }
}

#[test]
fn a_backend_that_says_too_much_is_not_asked_again() {
    let outcome = exchange(GET, &format!("{OK}HTTP/1.1"), Then::Waits, 4096, 4096);
    assert_eq!(outcome.end, Ok(Progress::Done(Reuse::No)));
    let closing = "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let outcome = whole(GET, closing, Then::Waits);
    assert_eq!((outcome.end, outcome.stays), (Ok(Progress::Done(Reuse::No)), true));
    assert!(!outcome.to_client.contains("Connection"), "that is between the two of them");
}

#[test]
fn content_goes_through_a_small_output_as_it_is() {
    let long = "x".repeat(3000);
    let reply = format!("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3000\r\n\r\n{long}");
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n{long}\r\n0\r\n\r\n"
    );
    let small = format!("1e\r\n{}\r\n", &long[..30]).repeat(100);
    let in_small_chunks =
        format!("HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n{small}0\r\n\r\n");
    for reply in [reply, chunked, in_small_chunks] {
        let wide = exchange(GET, &reply, Then::Waits, 4096, 4096);
        for room in [400, 512, 1000] {
            let narrow = exchange(GET, &reply, Then::Waits, 4096, room);
            assert_eq!(narrow.to_client, wide.to_client, "room for {room}");
            assert_eq!(narrow.end, Ok(Progress::Done(Reuse::Yes)));
        }
    }
}

#[test]
fn each_head_has_the_output_for_itself() {
    let hints = format!("HTTP/1.1 103 Early Hints\r\nA: {}\r\n\r\n", "x".repeat(300));
    let reply = format!("{hints}{hints}{OK}");
    let wide = whole(GET, &reply, Then::Waits);
    assert_eq!(wide.end, Ok(Progress::Done(Reuse::Yes)));
    assert_eq!(exchange(GET, &reply, Then::Waits, 4096, 400), wide);
}

#[test]
fn interim_replies_without_end_are_an_error() {
    let hint = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let outcome = whole(GET, &hint.repeat(17), Then::Waits);
    assert_eq!((outcome.end, outcome.to_client), (Err(Error::TooManyInterim), hint.repeat(16)));
}

#[test]
fn an_answer_of_its_own_that_has_no_room_is_an_end_in_its_place() {
    let (mut gateway, _, mut output) = asked(GET, "");
    output.push(&[b'x'; 400]);
    let answer = Answer::text(StatusCode::BAD_GATEWAY, "No.\n");
    gateway.answer_by_self(answer, &BY, &mut Buffer::new(512), &mut output);
    assert!(gateway.is_finished(), "the next answer would be taken for this one");
    assert_eq!(output.len(), 400);
}

#[test]
fn a_head_that_never_fits_is_an_error() {
    let long = "x".repeat(900);
    let reply = format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n");
    assert_eq!(exchange(GET, &reply, Then::Waits, 4096, 600).end, Err(Error::HeadTooLarge));
}

#[test]
fn options_with_no_forwards_left_is_for_us() {
    let request = "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n";
    let outcome = whole(request, OK, Then::Waits);
    assert_eq!(outcome.to_backend, "");
    assert!(outcome.to_client.starts_with("HTTP/1.1 200 OK\r\n"), "{}", outcome.to_client);
    assert!(outcome.stays);
    let request = "OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: 7\r\n\r\n";
    assert!(whole(request, OK, Then::Waits).to_backend.contains("\r\nMax-Forwards: 6\r\n"));
    for field in ["Max-Forwards: 0\r\n", "Max-Forwards: 7\r\n"] {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n");
        assert!(whole(&request, OK, Then::Waits).to_backend.contains(field));
    }
}

#[test]
fn only_what_does_no_harm_twice_may_be_sent_twice() {
    for (request, repeat) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Repeat::Harmless),
        ("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", Repeat::Harmless),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", Repeat::Harmless),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", Repeat::Dangerous),
        ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", Repeat::Dangerous),
        ("PATCH / HTTP/1.1\r\nHost: h\r\n\r\n", Repeat::Dangerous),
    ] {
        let mut gateway = Gateway::new(Limits::default());
        let mut input = Buffer::new(512);
        input.push(request.as_bytes());
        assert_eq!(gateway.hear(&mut input), Ok(Heard::Request));
        assert_eq!(gateway.asked().unwrap().repeat(), repeat, "{request}");
        let mut twice = [Buffer::new(512), Buffer::new(512)];
        assert!(twice.iter_mut().all(|output| gateway.forward(&input, &BY, output)));
        assert_eq!(twice[0].filled(), twice[1].filled());
    }
}

#[test]
fn a_refusal_keeps_a_client_whose_request_is_over() {
    for (request, stays) in [
        (GET, true),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel", false),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false),
    ] {
        let mut gateway = Gateway::new(Limits::default());
        let [mut input, mut output] = [Buffer::new(512), Buffer::new(512)];
        input.push(request.as_bytes());
        assert_eq!(gateway.hear(&mut input), Ok(Heard::Request));
        let content = Content::Owned(b"No.\n".to_vec());
        let fields = &[("Retry-After", "1")];
        let refusal = Answer::new(StatusCode::SERVICE_UNAVAILABLE, "text/plain", content);
        let refusal = Answer { fields, ..refusal };
        gateway.answer_by_self(refusal, &BY, &mut input, &mut output);
        let answer = String::from_utf8_lossy(output.filled());
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"));
        assert!(answer.ends_with("\r\n\r\nNo.\n"), "{answer}");
        assert_eq!(answer.contains("Connection: close"), !stays, "{request}");
        assert_eq!(gateway.listens(), stays);
        assert_eq!(gateway.is_finished(), !stays);
        assert!(!stays || input.is_empty(), "it would be heard again");
    }
}

#[test]
fn an_expectation_of_http_1_0_is_not_passed_on() {
    let head = "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx";
    for (line, passed_on) in [("HTTP/1.1\r\nHost: h", true), ("HTTP/1.0", false)] {
        let outcome = whole(&format!("POST / {line}\r\n{head}"), OK, Then::Waits);
        assert_eq!(outcome.to_backend.contains("Expect"), passed_on, "{}", outcome.to_backend);
    }
}

#[test]
fn replies_that_must_not_have_a_length_get_none() {
    let outcome =
        whole(GET, "HTTP/1.1 204 No Content\r\nDate: d\r\nContent-Length: 0\r\n\r\n", Then::Waits);
    assert_eq!(fields(&outcome.to_client), ["Date: d", "Via: 1.1 servers"]);
    let hints = format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\nA: b\r\n\r\n{OK}");
    let outcome = whole(GET, &hints, Then::Waits);
    assert_eq!(fields(&outcome.to_client), ["A: b"]);
}

#[test]
fn a_status_line_without_a_reason_gets_the_space_before_it() {
    let reply = "HTTP/1.1 103\r\n\r\nHTTP/1.0 299\r\nDate: d\r\nContent-Length: 0\r\n\r\n";
    let outcome = whole(GET, reply, Then::Waits);
    let expected = "HTTP/1.1 103 \r\n\r\nHTTP/1.1 299 \r\nDate: d\r\n";
    assert!(outcome.to_client.starts_with(expected), "{}", outcome.to_client);
}

#[test]
fn of_a_client_without_an_address_nothing_is_said() {
    let mut gateway = Gateway::new(Limits::default());
    let [mut input, mut output] = [Buffer::new(512), Buffer::new(512)];
    input.push(b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
    assert_eq!(gateway.hear(&mut input), Ok(Heard::Request));
    assert!(gateway.forward(&input, &Forwarder { client: b"", ..BY }, &mut output));
    let head = String::from_utf8_lossy(output.filled());
    assert_eq!(fields(&head), ["Host: h", "Via: 1.1 servers"]);
}

/// A gateway that has passed on the head of `request`, and what came of `reply` in the output.
fn asked(request: &str, reply: &str) -> (Gateway, Result<Progress, Error>, Buffer) {
    let mut gateway = Gateway::new(Limits::default());
    let [mut input, mut output] = [Buffer::new(512), Buffer::new(512)];
    input.push(request.as_bytes());
    assert_eq!(gateway.hear(&mut input), Ok(Heard::Request));
    gateway.commit(&mut input);
    assert_eq!(gateway.carry(&mut input, &mut Buffer::new(512)), Ok(()));
    let mut upstream_in = Buffer::new(512);
    upstream_in.push(reply.as_bytes());
    let progress = gateway.answer(&mut upstream_in, &BY, &mut output);
    (gateway, progress, output)
}

#[test]
fn a_client_waits_for_the_word_that_it_has_asked_for_and_for_no_other() {
    let [plain, expecting] = ["", "Expect: 100-continue\r\n"]
        .map(|field| format!("POST / HTTP/1.1\r\nHost: h\r\n{field}Content-Length: 2\r\n\r\n"));
    let begun = format!("{expecting}h");
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let word = "HTTP/1.1 100 Continue\r\n\r\n";
    for (request, reply, waits) in [
        (&expecting, "", true),
        (&expecting, hints, true),
        (&expecting, word, false),
        (&begun, "", false),
        (&plain, "", false),
    ] {
        assert_eq!(asked(request, reply).0.awaits_word(), waits, "{request}{reply}");
    }
}

#[test]
fn between_two_requests_nothing_is_answered_yet() {
    let (mut gateway, progress, _) = asked(GET, OK);
    assert_eq!(progress, Ok(Progress::Done(Reuse::Yes)));
    assert!(gateway.has_answered());
    gateway.next(&mut Buffer::new(512));
    assert!(gateway.listens() && !gateway.has_answered());
}

#[test]
fn what_ends_with_the_connection_does_so_until_its_last_octet_is_sent() {
    let old = "GET / HTTP/1.0\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    for (request, reply, by_closing) in
        [(old, chunked, true), (old, OK, false), (GET, chunked, false)]
    {
        let (mut gateway, progress, _) = asked(request, reply);
        assert_eq!(progress, Ok(Progress::Done(Reuse::Yes)));
        gateway.next(&mut Buffer::new(512));
        assert_eq!(gateway.ends_by_closing(), by_closing, "{request}{reply}");
    }
}
