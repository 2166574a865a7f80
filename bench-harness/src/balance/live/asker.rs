//! One connection to a balancer: a request, and the number of the replica that answered it.
//!
//! Just enough of HTTP/1.1 (RFC 9112) for the replies of our own balancer: a status line, fields,
//! and content of the length that a field tells.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// How long a balancer may take to take a connection, and for a reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head, and the longest content: replies here have a hundred octets of each.
const MOST: u64 = 16 << 10;

/// A connection that stays open.
#[derive(Debug)]
pub(super) struct Asker {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

/// `{"message": "Hello from Server: <ID>", "status": "successful"}`
#[derive(Deserialize)]
struct Hello {
    message: String,
}

impl Asker {
    /// Connects; it will ask for `path`.
    pub(super) fn connect(address: SocketAddr, path: &str) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
        Ok(Self { stream: BufReader::new(stream), request })
    }

    /// Asks once: the number of whoever answered.
    ///
    /// # Errors
    /// When there is no reply in time, or it is no greeting.
    pub(super) fn ask(&mut self) -> Result<u32> {
        self.stream.get_mut().write_all(&self.request)?;
        greeter(&mut self.stream)
    }
}

/// Reads one reply to its end: the number of whoever it is from.
fn greeter(stream: &mut impl BufRead) -> Result<u32> {
    let mut head = stream.take(MOST);
    let status = line(&mut head)?;
    ensure!(status.starts_with("HTTP/1.1 200 "), "the balancer answered `{status}`");
    let mut length = None;
    loop {
        let field = line(&mut head)?;
        let Some((name, value)) = field.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<u64>().with_context(|| field.clone())?);
        }
    }
    let length = length.filter(|length| *length <= MOST).context("a reply without its length")?;
    let mut content = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut content)?;
    number(&content)
}

/// A line without its end.
fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let whole = line.strip_suffix("\r\n").context("the reply broke off in its head")?;
    Ok(whole.to_owned())
}

fn number(content: &[u8]) -> Result<u32> {
    let hello: Hello = serde_json::from_slice(content).context("the reply is no greeting")?;
    let number = hello.message.strip_prefix("Hello from Server: ").map(str::parse);
    number.and_then(Result::ok).with_context(|| format!("`{}` is no greeting", hello.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: &str, content: &str) -> String {
        let length = content.len();
        format!("HTTP/1.1 {status}\r\nVia: 1.1 x\r\nContent-Length: {length}\r\n\r\n{content}")
    }

    #[test]
    fn replies_follow_one_another_on_a_connection() {
        let hello = |n| {
            let content =
                format!(r#"{{"message":"Hello from Server: {n}","status":"successful"}}"#);
            reply("200 OK", &content)
        };
        let text = hello(4) + &hello(17);
        let mut stream = text.as_bytes();
        assert_eq!((greeter(&mut stream).unwrap(), greeter(&mut stream).unwrap()), (4, 17));
        assert!(greeter(&mut stream).unwrap_err().to_string().contains("broke off"));
    }

    #[test]
    fn anything_but_a_whole_greeting_is_an_error() {
        let other = r#"{"message":"Hello"}"#;
        for text in [
            reply("200 OK", other),
            reply("200 OK", "Hello from Server: 1"),
            reply("503 Service Unavailable", r#"{"message":"Hello from Server: 1"}"#),
            "HTTP/1.1 200 OK\r\n\r\n".into(),
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}".into(),
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}".into(),
        ] {
            assert!(greeter(&mut text.as_bytes()).is_err(), "{text}");
        }
    }
}
