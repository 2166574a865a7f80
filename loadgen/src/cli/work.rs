//! The options that say what is sent, and what has to come back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::failure::Failure;
use crate::plan::{Expect, Message, Request, Work};
use crate::target::{Scheme, Target};

/// Octets of a message if nothing else is said.
const SIZE: usize = 64;

/// The largest message or body: one gibibyte.
const LARGEST: usize = 1 << 30;

/// What is sent, and what has to come back.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What is sent, and what has to come back")]
pub(super) struct WorkArguments {
    /// TCP: the text to send
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// TCP: the octets to send, different ones in each request (default 64)
    #[arg(long, value_name = "N", conflicts_with = "message")]
    pub(super) message_size: Option<usize>,
    /// TCP: the answer to each message, in place of the message itself
    #[arg(long, value_name = "TEXT")]
    expect: Option<String>,
    /// HTTP: the method
    #[arg(long)]
    method: Option<String>,
    /// HTTP: octets of the request's body
    #[arg(long, value_name = "N")]
    body_size: Option<usize>,
    /// HTTP: the file whose octets every reply has to consist of
    #[arg(long, value_name = "FILE")]
    expect_file: Option<PathBuf>,
    /// HTTP: give each request an id, as X-Request-Id and at the beginning of its body; the content
    /// of its reply has to contain it, as that of /echo does
    #[arg(long, conflicts_with = "expect_file")]
    pub(super) request_ids: bool,
}

impl WorkArguments {
    /// What is said to `target` by this agent, with messages of so many `octets` if that is given.
    pub(super) fn work(
        &self,
        target: &Target,
        octets: Option<usize>,
        agent: u32,
    ) -> Result<Work, Failure> {
        if octets.max(self.body_size).is_some_and(|size| size > LARGEST) {
            return wrong("--size and --body-size are at most 1073741824 (1 GiB)");
        }
        match target.scheme {
            Scheme::Tcp => self.conversation(octets),
            Scheme::Http => self.request(target, octets, agent).map(Work::Http),
        }
    }

    fn conversation(&self, octets: Option<usize>) -> Result<Work, Failure> {
        if self.method.is_some() || self.body_size.is_some() {
            return wrong("--method and --body-size need an http:// target");
        }
        if self.expect_file.is_some() || self.request_ids {
            return wrong("--expect-file and --request-ids need an http:// target");
        }
        let message = self.message(octets)?;
        match &self.expect {
            None => Ok(Work::Echo(message)),
            Some(reply) if reply.is_empty() => wrong("an empty --expect is nothing to wait for"),
            Some(reply) => Ok(Work::Fixed(message, reply.clone())),
        }
    }

    fn message(&self, octets: Option<usize>) -> Result<Message, Failure> {
        match (&self.message, octets) {
            (Some(_), Some(_)) => wrong("--message and --size exclude each other"),
            (Some(text), _) if !text.is_empty() => Ok(Message::Text(text.clone())),
            (None, None) => Ok(Message::Varied(SIZE)),
            (None, Some(size)) if size > 0 => Ok(Message::Varied(size)),
            _ => wrong("an empty message has no answer to wait for"),
        }
    }

    fn request(
        &self,
        target: &Target,
        octets: Option<usize>,
        agent: u32,
    ) -> Result<Request, Failure> {
        if self.message.is_some() || octets.is_some() || self.expect.is_some() {
            return wrong("--message, --size and --expect need a tcp:// target");
        }
        let method = self.method.clone().unwrap_or_else(|| "GET".to_owned());
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(Failure::Usage(format!("--method {method:?} is not a token")));
        }
        let expect = self.expect(agent)?;
        if method == "HEAD" && expect != Expect::Anything {
            return wrong(
                "a reply to HEAD has no content: without --expect-file and --request-ids",
            );
        }
        let (host, path) = (target.host.clone(), target.path.clone());
        Ok(Request { method, host, path, body: self.body_size, expect })
    }

    fn expect(&self, agent: u32) -> Result<Expect, Failure> {
        match &self.expect_file {
            Some(path) => read(path).map(Expect::Octets),
            None if self.request_ids => Ok(Expect::OwnId(agent)),
            None => Ok(Expect::Anything),
        }
    }
}

fn wrong<T>(text: &str) -> Result<T, Failure> {
    Err(Failure::Usage(text.to_owned()))
}

fn read(path: &Path) -> Result<Arc<[u8]>, Failure> {
    let octets = fs::read(path).map_err(|error| {
        Failure::Usage(format!("--expect-file {}: can't be read: {error}", path.display()))
    })?;
    Ok(octets.into())
}

/// RFC 9110, section 5.6.2.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::super::plan_of;

    #[test]
    fn contradictions_are_named() {
        for (line, hint) in [
            ("tcp://127.0.0.1:7 --size 0", "empty"),
            ("tcp://127.0.0.1:7 --message a --size 1", "exclude"),
            ("tcp://127.0.0.1:7 --method GET", "http://"),
            ("tcp://127.0.0.1:7 --request-ids", "http://"),
            ("tcp://127.0.0.1:7 --size 1073741825", "1 GiB"),
            ("http://127.0.0.1:7 --size 3", "tcp://"),
            ("http://127.0.0.1:7 --expect a", "tcp://"),
            ("http://127.0.0.1:7 --method G(", "token"),
            ("http://127.0.0.1:7 --method HEAD --request-ids", "HEAD"),
            ("http://127.0.0.1:7 --request-ids --pipeline 2", "--pipeline"),
            ("http://127.0.0.1:7 --expect-file /no/such/file", "/no/such/file"),
        ] {
            let error = plan_of(&format!("--target {line}")).expect_err(line);
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
