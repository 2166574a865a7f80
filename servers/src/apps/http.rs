//! HTTP: a few routes that are enough to compare servers by.
//!
//! | route                | answer                                                       |
//! |----------------------|--------------------------------------------------------------|
//! | `GET /`              | `Hello, world!` and a line end                               |
//! | any body to `/`      | the same body                                                |
//! | `/echo`              | the lines of the request's head                              |
//! | `/bytes/N`           | N octets                                                     |
//! | `/work/MICROSECONDS` | as `/`, after so much work for the CPU                       |
//! | `/files/PATH`        | a file below `--root`                                        |
//! | `/heartbeat`         | 200 and no content                                           |
//! | `/home`              | which server this is, as JSON                                |
//! | `/stats`             | the counters, as JSON                                        |

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use wire::Protocol;
use wire::http1::{Answer, Content, Framing, Limits, Request, Server, Service, StatusCode};

use crate::apps::App;
use crate::apps::date::imf_fixdate;
use crate::apps::files::{Outgoing, Root, media_type};
use crate::control::Control;
use crate::session::{Served, Serves, Session};
use crate::worker::Worker;

const HELLO: Content = Content::Static(b"Hello, world!\n");
/// The answer to a client for whom there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
                         Connection: close\r\nRetry-After: 1\r\n\r\n";
/// The most workers that `/stats` shows one by one.
const WORKERS_MAX: usize = 64;
/// The longest work that a client may ask for.
const WORK_MAX: Duration = Duration::from_secs(1);

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where the counters and the time are.
    pub control: Arc<Control>,
    /// Where the files are, if any are served.
    pub root: Option<Arc<Root>>,
    /// Which of several servers this is.
    pub server_id: Arc<str>,
    /// How long messages may be.
    pub limits: Limits,
}

impl App for Http {
    fn descriptors(&self) -> Vec<RawFd> {
        self.root.iter().map(|root| root.as_raw_fd()).collect()
    }

    fn open(&self, stream: TcpStream, worker: &mut Worker<'_>) -> Box<dyn Session> {
        let routes = Routes { site: self.clone(), outgoing: None };
        let server = Server::new(routes, self.limits);
        Box::new(Served::new(stream, server, worker.control.now()))
    }

    fn turn_away(&self, stream: TcpStream) {
        say_no_room(stream);
    }
}

/// Says 503 (RFC 9110, 15.6.4).
pub(crate) fn say_no_room(stream: TcpStream) {
    say_at_once(stream, NO_ROOM);
}

/// Answers and ends, and never waits for it: the client may be as stuck as we are.
pub(crate) fn say_at_once(mut stream: TcpStream, answer: &[u8]) {
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    // What it has asked by now is read, for a close with something unread is a reset. None of
    // this is worth more than the attempt.
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(answer);
    let _ = stream.shutdown(Shutdown::Write);
}

/// What answers the requests of one connection.
#[derive(Debug)]
pub struct Routes {
    site: Http,
    /// The file that the answer under way takes its content from.
    outgoing: Option<Outgoing>,
}

impl Service for Routes {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        let path = request.path();
        if path == "/" {
            return home(request);
        }
        if !matches!(request.method(), "GET" | "HEAD") {
            return not_allowed(&[("Allow", "GET, HEAD")]);
        }
        match path.strip_prefix('/').unwrap_or(path).split_once('/') {
            None if path == "/echo" => text(Content::Owned(request.head().to_vec())),
            None if path == "/heartbeat" => Answer::empty(StatusCode::OK),
            None if path == "/home" => self.greeting(),
            None if path == "/stats" => self.stats(),
            Some(("bytes", length)) => bytes(length),
            Some(("work", microseconds)) => work(microseconds),
            Some(("files", file)) => self.file(file, request.method()),
            _ => Answer::text(StatusCode::NOT_FOUND, "There is nothing here.\n"),
        }
    }

    fn date(&mut self) -> Option<[u8; 29]> {
        Some(imf_fixdate(self.site.control.unix_seconds()))
    }
}

impl Routes {
    fn greeting(&self) -> Answer {
        let message = format!("Hello from Server: {}", self.site.server_id);
        let text = json!({ "message": message, "status": "successful" }).to_string();
        Answer::new(StatusCode::OK, "application/json", Content::Owned(text.into_bytes()))
    }

    fn stats(&self) -> Answer {
        let stats = &self.site.control.stats;
        let mut workers = stats.each();
        // A model with a thread for each connection has as many as it has had clients at once.
        workers.truncate(WORKERS_MAX);
        let report = json!({ "totals": stats.totals(), "workers": workers });
        let text = format!("{report:#}\n").into_bytes();
        Answer::new(StatusCode::OK, "application/json", Content::Owned(text))
    }

    fn file(&mut self, path: &str, method: &str) -> Answer {
        let found = self.site.root.as_ref().and_then(|root| root.find(path));
        let Some((outgoing, length)) = found else {
            return Answer::text(StatusCode::NOT_FOUND, "There is no such file.\n");
        };
        // Where nothing of it will be sent, nobody would close it.
        self.outgoing = Some(outgoing).filter(|_| method == "GET" && length > 0);
        Answer::new(StatusCode::OK, media_type(path), Content::Outside(length))
    }
}

impl Serves for Server<Routes> {
    fn send_outside(&mut self, socket: BorrowedFd<'_>) -> io::Result<u64> {
        let left = self.outside();
        let file = &mut self.service_mut().outgoing;
        let outgoing = file.as_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
        let sent = outgoing.send(socket, left)?;
        if sent == left {
            *file = None;
        }
        Ok(sent)
    }
}

fn home(request: &Request<'_>) -> Answer {
    match (request.method(), request.body_length()) {
        ("GET" | "HEAD", Framing::None) => text(HELLO),
        ("DELETE" | "OPTIONS", Framing::None) => {
            not_allowed(&[("Allow", "GET, HEAD, POST, PUT, PATCH")])
        }
        _ => Answer::new(StatusCode::OK, "application/octet-stream", Content::RequestBody),
    }
}

fn text(content: Content) -> Answer {
    Answer::new(StatusCode::OK, "text/plain", content)
}

fn not_allowed(allow: &'static [(&'static str, &'static str)]) -> Answer {
    Answer { fields: allow, ..Answer::empty(StatusCode::METHOD_NOT_ALLOWED) }
}

fn bytes(length: &str) -> Answer {
    match length.parse() {
        Ok(length) => {
            Answer::new(StatusCode::OK, "application/octet-stream", Content::Fill(length))
        }
        Err(_) => Answer::text(StatusCode::BAD_REQUEST, "/bytes/N takes a number of octets.\n"),
    }
}

fn work(microseconds: &str) -> Answer {
    let length = microseconds.parse().map(Duration::from_micros);
    let Ok(length) = length.map(|length| length.min(WORK_MAX)) else {
        return Answer::text(StatusCode::BAD_REQUEST, "/work/N takes a number of microseconds.\n");
    };
    let start = Instant::now();
    while start.elapsed() < length {
        std::hint::spin_loop();
    }
    text(HELLO)
}
