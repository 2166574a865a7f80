//! What the server itself has counted, where it tells: `/stats` of the `http` app of `servers`, or
//! any JSON object with a number `answered`, on its own or in `totals`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::target::Target;

/// How long to wait for the counters.
const PATIENCE: Duration = Duration::from_secs(2);

/// More octets than any such reply has.
const MOST: u64 = 1 << 20;

/// Requests that the server has answered since it began.
///
/// # Errors
/// [`Failure::Failed`] if it does not say.
pub fn answered(place: &Target) -> Result<u64, Failure> {
    let failed = |why: String| Failure::Failed(format!("--server-stats {}: {why}", place.given));
    let reply = fetch(place).map_err(|error| failed(error.to_string()))?;
    parse(&reply).ok_or_else(|| failed("no JSON object with a number `answered`".to_owned()))
}

fn fetch(place: &Target) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&place.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Target { path, host, .. } = place;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.take(MOST).read_to_end(&mut reply)?;
    Ok(reply)
}

fn parse(reply: &[u8]) -> Option<u64> {
    let head = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let value: Value = serde_json::from_slice(&reply[head + 4..]).ok()?;
    let counted = value.pointer("/totals/answered").or_else(|| value.get("answered"))?;
    counted.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_in_both_places() {
        let reply = |body: &str| format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
        assert_eq!(parse(&reply(r#"{"answered": 7}"#)), Some(7));
        assert_eq!(parse(&reply(r#"{"totals": {"answered": 8}, "workers": []}"#)), Some(8));
        for wrong in ["", "{}", "[1]", r#"{"answered": "many"}"#, r#"{"answered": -1}"#] {
            assert_eq!(parse(&reply(wrong)), None, "{wrong}");
        }
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n"), None);
    }
}
