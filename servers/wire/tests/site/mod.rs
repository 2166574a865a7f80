//! A small site, with one page for each kind of content.

use wire::http1::{Answer, Content, Request, Service, StatusCode};

/// The service behind all tests.
pub(crate) struct Site;

impl Service for Site {
    fn answer(&mut self, request: &Request<'_>) -> Answer {
        match (request.method(), request.path()) {
            ("OPTIONS", "*") | (_, "/none") => Answer::empty(StatusCode::NO_CONTENT),
            ("DELETE", _) => not_allowed(),
            ("GET" | "HEAD", "/") => Answer::text(StatusCode::OK, "hello\n"),
            (_, "/" | "/echo") => content(Content::RequestBody),
            (_, "/head") => text(request.head().to_vec()),
            (_, path @ "/path") => text(path.into()),
            (_, path) => by_length(path).unwrap_or_else(not_found),
        }
    }
}

fn by_length(path: &str) -> Option<Answer> {
    let (kind, length) = path.strip_prefix('/')?.split_once('/')?;
    let length = length.parse().ok()?;
    match kind {
        "fill" => Some(content(Content::Fill(length))),
        "outside" => Some(content(Content::Outside(length))),
        _ => None,
    }
}

fn content(content: Content) -> Answer {
    Answer { content, ..Answer::empty(StatusCode::OK) }
}

fn text(octets: Vec<u8>) -> Answer {
    Answer::new(StatusCode::OK, "text/plain", Content::Owned(octets))
}

fn not_found() -> Answer {
    Answer::text(StatusCode::NOT_FOUND, "not here\n")
}

fn not_allowed() -> Answer {
    let fields = &[("Allow", "GET, HEAD, POST, PUT, PATCH")];
    Answer { fields, ..Answer::empty(StatusCode::METHOD_NOT_ALLOWED) }
}
