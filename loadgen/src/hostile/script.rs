//! The octets that a hostile client sends: some once, some for ever.

use crate::target::{Scheme, Target};

/// Octets of what is repeated, so that one write has much to take.
const REPEATED: usize = 64 << 10;

/// Octets of an echo message.
const MESSAGE: usize = 64;

/// The length that a body is said to have. It is not reached: at an octet a millisecond that takes
/// a quarter of an hour; and it is not longer, so that no server refuses it at once.
const BODY: usize = 1_000_000;

/// What is sent on a connection, from its first octet on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    once: Vec<u8>,
    for_ever: Vec<u8>,
}

/// The part of a request that never comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// The head: one endless field.
    Head,
    /// The body, whose length has been announced.
    Body,
}

/// How much of a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Share {
    /// Not an octet.
    Nothing,
    /// The first half of its octets.
    Half,
    /// All of it.
    Whole,
}

impl Script {
    /// Requests without end.
    pub(super) fn endless(target: &Target) -> Self {
        let request = request(target);
        Self { once: Vec::new(), for_ever: request.repeat(REPEATED.div_ceil(request.len())) }
    }

    /// One request without end. A message to an echo server has none anyway.
    pub(super) fn unfinished(target: &Target, part: Part) -> Self {
        let Target { host, path, scheme, .. } = target;
        let once = match (scheme, part) {
            (Scheme::Tcp, _) => String::new(),
            (Scheme::Http, Part::Head) => {
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Slow: ")
            }
            (Scheme::Http, Part::Body) => {
                format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BODY}\r\n\r\n")
            }
        };
        Self { once: once.into_bytes(), for_ever: b"x".to_vec() }
    }

    /// A share of one request, and no more.
    pub(super) fn share(target: &Target, share: Share) -> Self {
        let mut once = request(target);
        match share {
            Share::Nothing => once.clear(),
            Share::Half => once.truncate(once.len() / 2),
            Share::Whole => {}
        }
        Self { once, for_ever: Vec::new() }
    }

    /// What comes next after that many octets; nothing at the end.
    pub(super) fn after(&self, sent: u64) -> &[u8] {
        match usize::try_from(sent) {
            Ok(sent) if sent < self.once.len() => &self.once[sent..],
            _ if self.for_ever.is_empty() => &[],
            _ => {
                let beyond = sent - self.once.len() as u64;
                &self.for_ever[(beyond % self.for_ever.len() as u64) as usize..]
            }
        }
    }
}

fn request(target: &Target) -> Vec<u8> {
    let Target { host, path, scheme, .. } = target;
    match scheme {
        Scheme::Tcp => vec![b'x'; MESSAGE],
        Scheme::Http => format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: 127.0.0.1:8\r\n\r\n";

    fn target(text: &str) -> Target {
        text.parse().expect("a target")
    }

    /// The first octets of a script, taken `piece` octets at a time.
    fn first(script: &Script, octets: usize, piece: usize) -> String {
        let mut sent = Vec::new();
        while sent.len() < octets {
            let next = script.after(sent.len() as u64);
            sent.extend_from_slice(&next[..next.len().min(piece).min(octets - sent.len())]);
        }
        String::from_utf8(sent).expect("text")
    }

    #[test]
    fn requests_follow_each_other_for_ever() {
        let script = Script::endless(&target("http://127.0.0.1:8/a"));
        let many = first(&script, 10_000 * REQUEST.len(), 1000);
        assert!(many == REQUEST.repeat(10_000));
        assert!(!script.after(u64::MAX).is_empty());
    }

    #[test]
    fn an_unfinished_request_has_no_end() {
        let http = target("http://127.0.0.1:8/a");
        let head = first(&Script::unfinished(&http, Part::Head), 60, 1);
        let begun = "GET /a HTTP/1.1\r\nHost: 127.0.0.1:8\r\nX-Slow: ";
        assert_eq!(head, format!("{begun}{}", "x".repeat(60 - begun.len())));
        let begun = Script::unfinished(&http, Part::Body);
        let body = first(&begun, begun.once.len() + 4, 7);
        assert!(body.starts_with("POST /a ") && body.ends_with("\r\n\r\nxxxx"), "{body}");
        let echo = Script::unfinished(&target("tcp://127.0.0.1:8"), Part::Head);
        assert_eq!(first(&echo, 5, 1), "xxxxx");
    }

    #[test]
    fn a_share_ends() {
        let http = target("http://127.0.0.1:8/a");
        for (share, length) in
            [(Share::Nothing, 0), (Share::Half, REQUEST.len() / 2), (Share::Whole, REQUEST.len())]
        {
            let script = Script::share(&http, share);
            assert_eq!(script.after(0), &REQUEST.as_bytes()[..length]);
            assert!(script.after(length as u64).is_empty());
        }
    }
}
