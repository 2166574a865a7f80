//! What the server machine does that depends on time, on room, or on its service.

use wire::http1::{
    Answer, Content, Framing, LEAST_OUTPUT, Limits, Request, Server, Service, StatusCode, Version,
};
use wire::{Buffer, Protocol, Stage, Status};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const EXPECTING: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Answers each request with what a function says.
struct By(fn(&Request<'_>) -> Answer);

impl Service for By {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        (self.0)(request)
    }
}

fn with(content: Content) -> Answer {
    Answer { content, ..Answer::empty(StatusCode::OK) }
}

fn empty(_: &Request<'_>) -> Answer {
    Answer::empty(StatusCode::OK)
}

fn echo(_: &Request<'_>) -> Answer {
    with(Content::RequestBody)
}

/// A server between two buffers.
struct Rig {
    server: Server<By>,
    input: Buffer,
    output: Buffer,
}

impl Rig {
    fn new(answer: fn(&Request<'_>) -> Answer) -> Self {
        let server = Server::new(By(answer), Limits::default());
        Self { server, input: Buffer::new(1024), output: Buffer::new(LEAST_OUTPUT) }
    }

    fn advance(&mut self) -> Status {
        self.server.advance(&mut self.input, &mut self.output)
    }

    fn receive(&mut self, octets: &[u8]) -> Status {
        assert!(self.input.push_all(octets));
        self.advance()
    }

    fn taken(&mut self) -> Vec<u8> {
        let taken = self.output.filled().to_vec();
        self.output.clear();
        taken
    }

    fn expire(&mut self) -> Vec<u8> {
        self.server.expire(&mut self.output);
        assert_eq!(self.advance(), Status::Finished);
        self.taken()
    }
}

#[test]
fn a_client_that_waits_is_told_to_continue_once() {
    let mut rig = Rig::new(echo);
    rig.receive(EXPECTING);
    assert_eq!(rig.taken(), CONTINUE);
    rig.advance();
    assert_eq!(rig.taken(), b"");
    rig.receive(b"hi");
    assert_eq!(rig.taken(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

#[test]
fn a_client_that_does_not_wait_is_not_told_to() {
    let mut rig = Rig::new(echo);
    rig.receive(&[EXPECTING, b"hi"].concat());
    assert_eq!(rig.taken(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

#[test]
fn the_word_to_continue_waits_for_room() {
    let mut rig = Rig::new(echo);
    rig.output.push(&[b'.'; LEAST_OUTPUT - CONTINUE.len() + 1]);
    rig.receive(EXPECTING);
    assert_eq!(rig.output.len(), LEAST_OUTPUT - CONTINUE.len() + 1);
    rig.taken();
    rig.advance();
    assert_eq!(rig.taken(), CONTINUE);
}

#[test]
fn a_body_that_is_not_wanted_is_not_waited_for() {
    let mut rig = Rig::new(empty);
    assert_eq!(rig.receive(EXPECTING), Status::Finished);
    assert_eq!(rig.taken(), LAST);
}

#[test]
fn closing_ends_an_idle_connection() {
    let mut rig = Rig::new(empty);
    rig.receive(GET);
    assert_eq!(rig.taken(), EMPTY);
    rig.server.close_soon();
    assert_eq!(rig.advance(), Status::Finished);
    assert_eq!(rig.taken(), b"");
}

#[test]
fn closing_answers_what_has_arrived_and_says_so() {
    let mut rig = Rig::new(empty);
    rig.input.push(&[GET, GET].concat());
    rig.server.close_soon();
    assert_eq!(rig.advance(), Status::Finished);
    assert_eq!(rig.taken(), LAST);
    assert_eq!(rig.input.filled(), GET, "what comes after the end is left alone");
}

#[test]
fn closing_waits_for_the_rest_of_a_head() {
    let mut rig = Rig::new(empty);
    rig.receive(&GET[..9]);
    rig.server.close_soon();
    assert_eq!(rig.advance(), Status::Open);
    assert_eq!(rig.receive(&GET[9..]), Status::Finished);
    assert_eq!(rig.taken(), LAST);
}

#[test]
fn closing_lets_an_answer_under_way_come_to_its_end() {
    let mut rig = Rig::new(|_| with(Content::Fill(400)));
    rig.receive(GET);
    rig.server.close_soon();
    let mut sent = rig.taken();
    while rig.advance() == Status::Open {
        sent.extend(rig.taken());
    }
    sent.extend(rig.taken());
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n";
    assert_eq!(sent, [&head[..], &[Content::FILLER; 400]].concat());
}

#[test]
fn the_stage_is_within_from_head_to_end() {
    let mut rig = Rig::new(echo);
    assert_eq!(rig.server.stage(), Stage::Between);
    rig.receive(b"POST / HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(rig.server.stage(), Stage::Between);
    rig.receive(b"Content-Length: 2\r\n\r\nh");
    assert_eq!((rig.server.stage(), rig.server.answered()), (Stage::Within, 0));
    rig.receive(b"i");
    assert_eq!((rig.server.stage(), rig.server.answered()), (Stage::Between, 1));
}

#[test]
fn time_is_up_without_a_word_if_nothing_came() {
    let mut rig = Rig::new(empty);
    assert_eq!(rig.expire(), b"");
    assert_eq!(rig.server.answered(), 0);
}

#[test]
fn time_is_up_with_408_within_a_request() {
    for request in [&GET[..9], b"\r", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh"] {
        let mut rig = Rig::new(empty);
        rig.receive(request);
        let answer = rig.expire();
        assert!(answer.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"), "{answer:?}");
        assert_eq!(rig.server.answered(), 1);
    }
}

#[test]
fn time_is_up_without_a_word_if_there_is_no_room_for_one() {
    let mut rig = Rig::new(empty);
    rig.receive(&GET[..9]);
    rig.output.push(&[b'.'; LEAST_OUTPUT - 20]);
    assert_eq!(rig.expire(), [b'.'; LEAST_OUTPUT - 20]);
}

#[test]
fn time_is_up_without_a_word_if_the_answer_is_on_its_way() {
    let mut rig = Rig::new(|_| with(Content::Fill(9999)));
    rig.receive(GET);
    rig.taken();
    assert_eq!(rig.expire(), b"");
    assert_eq!(rig.server.answered(), 0);
}

#[test]
fn nothing_overtakes_what_the_caller_sends() {
    let mut rig = Rig::new(|_| with(Content::Outside(5)));
    rig.receive(&[GET, GET].concat());
    assert_eq!(rig.taken(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    rig.server.sent_outside(4);
    rig.advance();
    assert_eq!((rig.server.outside(), rig.server.answered()), (1, 0));
    assert_eq!(rig.taken(), b"");
    rig.server.sent_outside(1);
    assert_eq!((rig.server.outside(), rig.server.answered()), (0, 1));
    rig.advance();
    assert_eq!(rig.taken(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn an_answer_whose_head_never_fits_becomes_an_error() {
    const LONG: &str = "a value that is much too long for the buffer, not said once but twice, \
        a value that is much too long for the buffer, not said once but twice";
    let mut rig = Rig::new(|_| Answer { fields: &[("X", LONG)], ..Answer::empty(StatusCode::OK) });
    rig.receive(GET);
    assert_eq!(rig.taken(), b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn a_line_that_never_fits_in_the_input_is_too_large() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (before, status) in [
        (String::new(), "431"),
        ("GET / HTTP/1.1\r\nX: ".into(), "431"),
        (format!("{chunked}1;"), "400"),
        (format!("{chunked}0\r\nX: "), "431"),
    ] {
        let mut rig = Rig::new(empty);
        rig.receive(before.as_bytes());
        let status_line = format!("HTTP/1.1 {status} ");
        assert_eq!(rig.receive(&vec![b'x'; rig.input.room()]), Status::Finished, "{before}");
        assert!(rig.taken().starts_with(status_line.as_bytes()), "{before}");
    }
}

#[test]
fn no_answer_waits_for_room_that_will_never_be() {
    for length in 0..LEAST_OUTPUT {
        let mut rig = Rig::new(|request| {
            let name = request.target()[1..].to_owned();
            Answer::new(StatusCode::OK, name.leak(), Content::RequestBody)
        });
        let head = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let target = "t".repeat(length);
        rig.receive(format!("POST /{target} {head}1\r\nx\r\n0\r\n\r\n").as_bytes());
        assert!(rig.output.filled().starts_with(b"HTTP/1.1 "), "{length}");
    }
}

/// Counts how often it is asked for the time.
#[derive(Default)]
struct Clock(u32);

impl Service for Clock {
    fn answer(&mut self, _: &Request<'_>) -> Answer {
        Answer::empty(StatusCode::OK)
    }

    fn date(&mut self) -> Option<[u8; 29]> {
        self.0 += 1;
        Some(*b"Sun, 06 Nov 1994 08:49:37 GMT")
    }
}

#[test]
fn the_date_is_asked_for_once_a_response() {
    let mut server = Server::new(Clock::default(), Limits::default());
    let (mut input, mut output) = (Buffer::new(1024), Buffer::new(LEAST_OUTPUT));
    input.push(GET);
    output.push(&[b'.'; LEAST_OUTPUT]);
    server.advance(&mut input, &mut output);
    assert_eq!(server.service().0, 0, "no room for a response yet");
    output.clear();
    server.advance(&mut input, &mut output);
    server.advance(&mut input, &mut output);
    assert_eq!(server.service_mut().0, 1);
    let expected = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(output.filled(), expected);
}

/// Answers with the content of the request, reversed, and says 400 if there is none.
#[derive(Default)]
struct Reverse(Vec<u8>);

impl Service for Reverse {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        with(if request.path() == "/" { Content::Pending } else { Content::Empty })
    }

    fn content(&mut self, octets: &[u8]) {
        self.0.extend(octets);
    }

    fn conclude(&mut self) -> Answer {
        let mut octets = std::mem::take(&mut self.0);
        octets.reverse();
        if octets.is_empty() {
            return Answer::empty(StatusCode::BAD_REQUEST);
        }
        with(Content::Owned(octets))
    }
}

fn reversed(pieces: &[&[u8]]) -> String {
    let mut server = Server::new(Reverse::default(), Limits::default());
    let (mut input, mut output) = (Buffer::new(1024), Buffer::new(1024));
    for piece in pieces {
        assert!(input.push_all(piece));
        server.advance(&mut input, &mut output);
    }
    String::from_utf8_lossy(output.filled()).into_owned()
}

#[test]
fn an_answer_may_depend_on_the_content_however_that_is_cut() {
    let sized = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    for request in [&sized[..], chunked] {
        for cut in 0..=request.len() {
            let (head, rest) = request.split_at(cut);
            let answers = reversed(&[head, rest, GET]);
            let expected = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndcba\
                            HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            assert_eq!(answers, expected, "cut at {cut}");
        }
    }
}

#[test]
fn content_that_an_answer_depends_on_is_invited() {
    let continued = String::from_utf8_lossy(CONTINUE).into_owned();
    assert_eq!(reversed(&[EXPECTING]), continued);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nih";
    assert_eq!(reversed(&[EXPECTING, b"hi"]), continued + answer);
}

#[test]
fn content_that_breaks_a_rule_never_concludes() {
    let broken = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc";
    assert!(reversed(&[broken]).starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type"));
}

#[test]
fn an_empty_line_is_forgiven_before_each_request() {
    let mut rig = Rig::new(empty);
    for _ in 0..3 {
        rig.receive(b"\r\n\r\n");
        rig.receive(GET);
        assert_eq!(rig.taken(), EMPTY);
    }
}

#[test]
fn a_request_shows_its_head() {
    let mut rig = Rig::new(|request| {
        assert_eq!((request.method(), request.version()), ("PUT", Version::Http10));
        assert_eq!((request.target(), request.path()), ("/a%20b?c?d", "/a%20b"));
        assert_eq!(request.body_length(), Framing::Length(0));
        let fields: Vec<_> = request.fields().collect();
        assert_eq!(fields, [("X", &b"y\xff z"[..]), ("content-LENGTH", b"0"), ("E", b"")]);
        assert!(request.head().ends_with(b"E: \r\n"));
        Answer::empty(StatusCode::OK)
    });
    rig.receive(b"PUT /a%20b?c?d HTTP/1.0\r\nX:\ty\xff z \r\ncontent-LENGTH: 0\r\nE: \r\n\r\n");
    assert_eq!(rig.taken(), LAST);
}
