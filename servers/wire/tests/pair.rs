//! The client and the server machine talk to each other, through queues that are too small.

mod site;

use std::collections::VecDeque;

use site::Site;
use wire::http1::{Client, LEAST_OUTPUT, Limits, Reply, RequestMethod, Server};
use wire::{Buffer, Protocol, Status};

/// A request and what is to come back.
struct Exchange {
    request: Vec<u8>,
    method: RequestMethod,
    status: u16,
    body: Vec<u8>,
}

impl Exchange {
    fn new(line: &str, rest: &str, status: u16, body: &[u8]) -> Self {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n{rest}").into();
        let head = line.starts_with("HEAD ");
        let method = if head { RequestMethod::Head } else { RequestMethod::Other };
        Self { request, method, status, body: body.to_vec() }
    }

    /// One of each kind; `number` makes its content its own.
    fn of_kind(kind: usize, number: usize) -> Self {
        let word = format!("{number:04}").repeat(number % 50 + 1);
        let length = word.len();
        let bytes = word.as_bytes();
        match kind % 9 {
            0 => Self::new("GET /", "\r\n", 200, b"hello\n"),
            1 => Self::new("HEAD /", "\r\n", 200, b""),
            2 => Self::new(&format!("GET /fill/{number}"), "\r\n", 200, &vec![b'x'; number]),
            3 => Self::new(&format!("GET /outside/{number}"), "\r\n", 200, &vec![b'o'; number]),
            4 => Self::new(&format!("HEAD /outside/{number}"), "\r\n", 200, b""),
            5 => {
                Self::new("POST /", &format!("Content-Length: {length}\r\n\r\n{word}"), 200, bytes)
            }
            6 => {
                let chunks = format!("{length:x}\r\n{word}\r\n3;x=y\r\nend\r\n0\r\nX: y\r\n\r\n");
                let body = [bytes, b"end"].concat();
                Self::new(
                    "PUT /",
                    &format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"),
                    200,
                    &body,
                )
            }
            7 => Self::new("GET /none", "\r\n", 204, b""),
            _ => Self::new(
                "POST /missing",
                &format!("Content-Length: {length}\r\n\r\n{word}"),
                404,
                b"not here\n",
            ),
        }
    }
}

/// Both ends, and what lies between them.
struct Pair {
    client: Client,
    server: Server<Site>,
    /// Octets not yet arrived at the server.
    requests: VecDeque<u8>,
    request_buffer: Buffer,
    response_buffer: Buffer,
    /// Octets arrived at the client.
    replies: Buffer,
    body: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        Self {
            client: Client::new(Limits::default()),
            server: Server::new(Site, Limits::default()),
            requests: VecDeque::new(),
            request_buffer: Buffer::new(80),
            response_buffer: Buffer::new(LEAST_OUTPUT),
            replies: Buffer::new(LEAST_OUTPUT),
            body: Vec::new(),
        }
    }

    fn send(&mut self, exchange: &Exchange) {
        self.requests.extend(&exchange.request);
        self.client.sent(exchange.method);
    }

    /// Lets at most `count` octets travel each way, and returns the reply that this completes.
    fn travel(&mut self, count: usize) -> Option<Reply> {
        let arriving = count.min(self.request_buffer.room()).min(self.requests.len());
        for octet in self.requests.drain(..arriving) {
            assert_eq!(self.request_buffer.push(&[octet]), 1);
        }
        let status = self.server.advance(&mut self.request_buffer, &mut self.response_buffer);
        assert_eq!(status, Status::Open);
        let leaving = count.min(self.response_buffer.len()).min(self.replies.room());
        self.replies.push(&self.response_buffer.filled()[..leaving]);
        self.response_buffer.consume(leaving);
        if self.response_buffer.is_empty() {
            self.send_outside();
        }
        let body = &mut self.body;
        let reply = self.client.advance(&mut self.replies, &mut |octets| body.extend(octets));
        reply.expect("a right reply")
    }

    fn send_outside(&mut self) {
        let count = self.server.outside().min(self.replies.room() as u64);
        assert!(self.replies.push_all(&vec![b'o'; count as usize]));
        self.server.sent_outside(count);
    }
}

/// Sends the exchanges, at most `depth` ahead of the replies, and checks each reply.
fn talk(exchanges: &[Exchange], depth: usize, count: usize) {
    let mut pair = Pair::new();
    let mut sent = 0;
    for (number, expected) in exchanges.iter().enumerate() {
        while sent < exchanges.len().min(number + depth) {
            pair.send(&exchanges[sent]);
            sent += 1;
        }
        let steps = (0..100_000).find_map(|_| pair.travel(count));
        let reply = steps.unwrap_or_else(|| panic!("no reply to request {number}"));
        assert_eq!((reply.status, reply.keep_alive), (expected.status, true), "{number}");
        assert_eq!(std::mem::take(&mut pair.body), expected.body, "{number}");
        assert_eq!(reply.body_octets, expected.body.len() as u64, "{number}");
    }
    assert_eq!(pair.server.answered(), exchanges.len() as u64);
    assert_eq!(pair.client.outstanding(), 0);
    assert!(pair.replies.is_empty(), "nothing beyond the last reply");
}

#[test]
fn one_request_after_the_other() {
    let exchanges: Vec<_> = (0..900).map(|number| Exchange::of_kind(number, number)).collect();
    talk(&exchanges, 1, 64);
}

#[test]
fn many_requests_ahead_of_their_replies() {
    // 7 has no factor in common with 9: each kind follows on each other but itself.
    let exchanges: Vec<_> =
        (0..900).map(|number| Exchange::of_kind(number * 7 + number / 9, number)).collect();
    talk(&exchanges, 32, 64);
}

#[test]
fn one_octet_at_a_time() {
    let exchanges: Vec<_> = (0..90).map(|number| Exchange::of_kind(number, number)).collect();
    talk(&exchanges, 4, 1);
}
