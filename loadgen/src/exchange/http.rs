//! HTTP/1.1: the request is the same each time and built once; every reply is parsed to its end.

use wire::Buffer;
use wire::http1::{Client, Limits, RequestMethod};

use super::{Exchange, Step, Then, Turn};
use crate::fault::Fault;
use crate::plan::Request;

/// Content is counted and thrown away, so that its length need not be bounded. The bound on a head
/// is far below the size of the engine's input buffer.
const LIMITS: Limits = Limits { head: 64 << 10, target: 4 << 10, fields: 1000, body: u64::MAX };

/// Sends one request again and again and reads the replies.
#[derive(Debug)]
pub struct Http {
    request: Box<[u8]>,
    last_request: Box<[u8]>,
    method: RequestMethod,
}

/// Where a connection stands: nothing before its first request, so that a silent one costs little.
type Dialogue = Option<Box<Conversation>>;

/// What is known of a connection that has carried a request.
#[derive(Debug)]
pub struct Conversation {
    client: Client,
    /// The start of a head whose rest has not come yet: rare, and then short.
    left_over: Vec<u8>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { client: Client::new(LIMITS), left_over: Vec::new() }
    }
}

impl Http {
    /// An exchange of this request.
    #[must_use]
    pub fn new(request: &Request) -> Self {
        let method =
            if request.method == "HEAD" { RequestMethod::Head } else { RequestMethod::Other };
        Self {
            request: octets_of(request, ""),
            last_request: octets_of(request, "Connection: close\r\n"),
            method,
        }
    }
}

fn octets_of(request: &Request, connection: &str) -> Box<[u8]> {
    let Request { method, host, path, body } = request;
    let length = body.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{connection}\r\n");
    let mut octets = head.into_bytes();
    octets.resize(octets.len() + body.unwrap_or(0), b'x');
    octets.into()
}

impl Exchange for Http {
    type Dialogue = Dialogue;

    fn request(&self, _seed: u64, turn: Turn) -> &[u8] {
        match turn {
            Turn::More => &self.request,
            Turn::Last => &self.last_request,
        }
    }

    fn begin(&self, dialogue: &mut Dialogue) {
        dialogue.get_or_insert_with(Box::default).client.sent(self.method);
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
        match conversation.client.advance(input, &mut |_content| ()) {
            Ok(Some(reply)) => judge(reply.status, reply.keep_alive),
            Ok(None) => {
                conversation.left_over.extend_from_slice(input.filled());
                Step::Partial
            }
            Err(_) => wrong(),
        }
    }

    fn end_of_input(&self, dialogue: &mut Dialogue) -> Step {
        match dialogue.as_mut().map(|conversation| conversation.client.end_of_input()) {
            Some(Ok(Some(reply))) => judge(reply.status, false),
            _ => Step::Failed(Fault::Closed, Then::Close),
        }
    }
}

fn wrong() -> Step {
    Step::Failed(Fault::Mismatch, Then::Close)
}

fn judge(status: u16, keep_alive: bool) -> Step {
    let then = if keep_alive { Then::Reuse } else { Then::Close };
    match status {
        200..=299 => Step::Answered(then),
        _ => Step::Failed(Fault::Status, then),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(method: &str, body: Option<usize>) -> Http {
        Http::new(&Request {
            method: method.to_owned(),
            host: "h:80".to_owned(),
            path: "/p".to_owned(),
            body,
        })
    }

    /// The step that a reply leads to, when it comes in pieces of that many octets.
    fn step(reply: &str, piece: usize) -> Step {
        let (http, mut dialogue) = (http("GET", None), None);
        http.begin(&mut dialogue);
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
        assert_eq!(*http.request, *format!("{head}\r\nxxx").as_bytes());
        assert_eq!(*http.last_request, *format!("{head}Connection: close\r\n\r\nxxx").as_bytes());
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
        (0..3).for_each(|_| http.begin(&mut dialogue));
        let mut input = Buffer::new(1024);
        input.push(reply.repeat(3).as_bytes());
        for left in [2, 1, 0] {
            assert_eq!(http.receive(&mut dialogue, &mut input), Step::Answered(Then::Reuse));
            assert_eq!(input.len(), left * reply.len());
        }
    }
}
