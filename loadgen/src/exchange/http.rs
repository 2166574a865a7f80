//! HTTP/1.1: the request is the same each time and built once; every reply is parsed to its end,
//! and its content is held against what it has to be.
//!
//! Where requests have ids, only the id differs: each connection has a copy of the request of its
//! own, into which the id is written before it is sent.

use wire::Buffer;
use wire::http1::{Client, Limits, RequestMethod};

use super::check::Look;
use super::id::{self, Id};
use super::{Exchange, Step, Then, Turn};
use crate::fault::Fault;
use crate::plan::{Expect, Request};

/// Content is counted and thrown away, so that its length need not be bounded. The bound on a head
/// is far below the size of the engine's input buffer.
const LIMITS: Limits = Limits { head: 64 << 10, target: 4 << 10, fields: 1000, body: u64::MAX };

/// Sends one request again and again and reads the replies.
#[derive(Debug)]
pub struct Http {
    request: Template,
    last_request: Template,
    method: RequestMethod,
    expect: Expect,
}

/// A request, and where its id belongs.
#[derive(Debug)]
struct Template {
    octets: Box<[u8]>,
    ids: Vec<usize>,
}

/// Where a connection stands: nothing before its first request, so that a silent one costs little.
type Dialogue = Option<Box<Conversation>>;

/// What is known of a connection that has carried a request.
#[derive(Debug)]
pub struct Conversation {
    client: Client,
    /// The start of a head whose rest has not come yet: rare, and then short.
    left_over: Vec<u8>,
    look: Look,
    id: Id,
    /// The request that is out, with its id; empty where requests have none.
    named: Vec<u8>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            client: Client::new(LIMITS),
            left_over: Vec::new(),
            look: Look::default(),
            id: Id::default(),
            named: Vec::new(),
        }
    }
}

impl Http {
    /// An exchange of this request.
    #[must_use]
    pub fn new(request: &Request) -> Self {
        let method =
            if request.method == "HEAD" { RequestMethod::Head } else { RequestMethod::Other };
        Self {
            request: Template::of(request, ""),
            last_request: Template::of(request, "Connection: close\r\n"),
            method,
            expect: request.expect.clone(),
        }
    }

    fn template(&self, turn: Turn) -> &Template {
        match turn {
            Turn::More => &self.request,
            Turn::Last => &self.last_request,
        }
    }
}

impl Template {
    fn of(request: &Request, connection: &str) -> Self {
        match request.expect {
            Expect::OwnId(_) => Self::with_ids(request, connection),
            Expect::Anything | Expect::Octets(_) => {
                Self { octets: octets_of(request, connection).into(), ids: Vec::new() }
            }
        }
    }

    /// A field has the id, and so has the body where there is room: a server that sends either of
    /// them back is good for a check.
    fn with_ids(request: &Request, connection: &str) -> Self {
        let field = format!("X-Request-Id: {}\r\n{connection}", Id::default());
        let octets = octets_of(request, &field);
        let body = octets.len() - request.body.unwrap_or(0);
        let head = body - "\r\n".len() - connection.len() - "\r\n".len() - id::LENGTH;
        let fits = request.body.is_some_and(|length| length >= id::LENGTH);
        let ids = if fits { vec![head, body] } else { vec![head] };
        Self { octets: octets.into(), ids }
    }

    /// Makes `request` this one, with that id.
    fn fill_in(&self, request: &mut Vec<u8>, id: &Id) {
        request.clear();
        request.extend_from_slice(&self.octets);
        for &at in &self.ids {
            request[at..at + id::LENGTH].copy_from_slice(id.octets());
        }
    }
}

impl Conversation {
    /// What a complete reply leads to. The next one is looked at from its beginning.
    fn judge(&mut self, expect: &Expect, status: u16, then: Then) -> Step {
        let look = std::mem::take(&mut self.look);
        match (status, look.fault(expect)) {
            (200..=299, None) => Step::Answered(then),
            (200..=299, Some(fault)) => Step::Failed(fault, then),
            _ => Step::Failed(Fault::Status, then),
        }
    }
}

fn octets_of(request: &Request, fields: &str) -> Vec<u8> {
    let Request { method, host, path, body, .. } = request;
    let length = body.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{fields}\r\n");
    let mut octets = head.into_bytes();
    octets.resize(octets.len() + body.unwrap_or(0), b'x');
    octets
}

impl Exchange for Http {
    type Dialogue = Dialogue;

    fn request<'a>(&'a self, dialogue: &'a Dialogue, _seed: u64, turn: Turn) -> &'a [u8] {
        match dialogue {
            Some(conversation) if !conversation.named.is_empty() => &conversation.named,
            _ => &self.template(turn).octets,
        }
    }

    fn begin(&self, dialogue: &mut Dialogue, seed: u64, turn: Turn) {
        let conversation = dialogue.get_or_insert_with(Box::default);
        conversation.client.sent(self.method);
        if let Expect::OwnId(agent) = self.expect {
            conversation.id = Id::new(agent, seed);
            self.template(turn).fill_in(&mut conversation.named, &conversation.id);
        }
    }

    fn expect(&self, _dialogue: &mut Dialogue, _seed: u64) {}

    fn resume(&self, dialogue: &mut Dialogue, input: &mut Buffer) {
        input.clear();
        if let Some(conversation) = dialogue {
            input.push(&conversation.left_over);
        }
    }

    fn receive(&self, dialogue: &mut Dialogue, input: &mut Buffer) -> Step {
        let Some(conversation) = dialogue else { return wrong() };
        conversation.left_over.clear();
        let Conversation { client, look, id, .. } = &mut **conversation;
        match client.advance(input, &mut |piece| look.take(&self.expect, id, piece)) {
            Ok(Some(reply)) => {
                conversation.judge(&self.expect, reply.status, then(reply.keep_alive))
            }
            Ok(None) => {
                conversation.left_over.extend_from_slice(input.filled());
                Step::Partial
            }
            Err(_) => wrong(),
        }
    }

    fn end_of_input(&self, dialogue: &mut Dialogue) -> Step {
        let closed = Step::Failed(Fault::Closed, Then::Close);
        let Some(conversation) = dialogue else { return closed };
        match conversation.client.end_of_input() {
            Ok(Some(reply)) => conversation.judge(&self.expect, reply.status, Then::Close),
            _ => closed,
        }
    }
}

fn wrong() -> Step {
    Step::Failed(Fault::Mismatch, Then::Close)
}

fn then(keep_alive: bool) -> Then {
    if keep_alive { Then::Reuse } else { Then::Close }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(method: &str, body: Option<usize>) -> Http {
        expecting(Expect::Anything, method, body)
    }

    fn expecting(expect: Expect, method: &str, body: Option<usize>) -> Http {
        Http::new(&Request {
            method: method.to_owned(),
            host: "h:80".to_owned(),
            path: "/p".to_owned(),
            body,
            expect,
        })
    }

    /// The step that a reply leads to, when it comes in pieces of that many octets.
    fn step(reply: &str, piece: usize) -> Step {
        let (http, mut dialogue) = (http("GET", None), None);
        http.begin(&mut dialogue, 1, Turn::More);
        let mut input = Buffer::new(1024);
        for octets in reply.as_bytes().chunks(piece) {
            http.resume(&mut dialogue, &mut input);
            input.push(octets);
            match http.receive(&mut dialogue, &mut input) {
                Step::Partial => {}
                step => return step,
            }
        }
        http.end_of_input(&mut dialogue)
    }

    #[test]
    fn the_request_is_what_the_plan_says() {
        let http = http("POST", Some(3));
        let head = "POST /p HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\n";
        let octets = |turn| &*http.template(turn).octets;
        assert_eq!(octets(Turn::More), format!("{head}\r\nxxx").as_bytes());
        assert_eq!(octets(Turn::Last), format!("{head}Connection: close\r\n\r\nxxx").as_bytes());
    }

    #[test]
    fn a_request_with_an_id_has_it_in_a_field_and_in_a_body_with_room() {
        let id = "r00000007-00000001-00000002";
        for (body, content) in [(0, String::new()), (26, "x".repeat(26)), (30, format!("{id}xxx"))]
        {
            let (http, mut dialogue) = (expecting(Expect::OwnId(7), "POST", Some(body)), None);
            for (turn, close) in [(Turn::More, ""), (Turn::Last, "Connection: close\r\n")] {
                http.begin(&mut dialogue, 1 << 32 | 2, turn);
                let head = format!("POST /p HTTP/1.1\r\nHost: h:80\r\nContent-Length: {body}\r\n");
                let expected = format!("{head}X-Request-Id: {id}\r\n{close}\r\n{content}");
                let octets = http.request(&dialogue, 1 << 32 | 2, turn);
                assert_eq!(String::from_utf8_lossy(octets), expected);
            }
        }
    }

    #[test]
    fn replies_are_judged_however_they_are_cut() {
        let closed = Step::Failed(Fault::Closed, Then::Close);
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Step::Answered(Then::Reuse)),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                Step::Answered(Then::Reuse),
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                Step::Answered(Then::Close),
            ),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", Step::Answered(Then::Close)),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                Step::Failed(Fault::Status, Then::Reuse),
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", closed),
            ("", closed),
            ("hello\r\n\r\n", wrong()),
        ];
        for (reply, expected) in cases {
            for piece in 1..=reply.len().max(1) {
                assert_eq!(step(reply, piece), expected, "{reply:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn replies_to_several_requests_come_one_by_one() {
        let reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let (http, mut dialogue) = (http("GET", None), None);
        (0..3).for_each(|seed| http.begin(&mut dialogue, seed, Turn::More));
        let mut input = Buffer::new(1024);
        input.push(reply.repeat(3).as_bytes());
        for left in [2, 1, 0] {
            assert_eq!(http.receive(&mut dialogue, &mut input), Step::Answered(Then::Reuse));
            assert_eq!(input.len(), left * reply.len());
        }
    }
}
