//! What a polite client says, and how it knows that the answer is right.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wire::Buffer;
use wire::http1::{Client, Limits, RequestMethod};

use crate::clock::Moment;
use crate::fault::Fault;
use crate::target::{Scheme, Target};

/// Content is counted and thrown away, so its length need not be bounded.
const LIMITS: Limits = Limits { head: 16 << 10, target: 4 << 10, fields: 1000, body: u64::MAX };

/// Octets of the buffer for answers: more than a head may have.
const BUFFER: usize = 32 << 10;

/// Whether the connection can carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Same,
    New,
}

/// Says what `number` stands for, and waits until `deadline` for the right answer.
pub(super) fn ask(
    stream: &mut TcpStream,
    target: &Target,
    number: u64,
    deadline: Moment,
) -> Result<Next, Fault> {
    match target.scheme {
        Scheme::Tcp => echo(stream, number, deadline),
        Scheme::Http => http(stream, target, deadline),
    }
}

/// Each message is another one, so that the echo of another is not taken for its own.
fn echo(stream: &mut TcpStream, number: u64, deadline: Moment) -> Result<Next, Fault> {
    let message = format!("{number:032}");
    say(stream, message.as_bytes())?;
    let (mut answer, mut have) = ([0; 33], 0);
    while have < message.len() {
        match hear(stream, &mut answer[have..], deadline)? {
            0 => return Err(Fault::Closed),
            count => have += count,
        }
    }
    if &answer[..have] == message.as_bytes() { Ok(Next::Same) } else { Err(Fault::Mismatch) }
}

fn http(stream: &mut TcpStream, target: &Target, deadline: Moment) -> Result<Next, Fault> {
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", target.path, target.host);
    let (mut client, mut input) = (Client::new(LIMITS), Buffer::new(BUFFER));
    client.sent(RequestMethod::Other);
    say(stream, request.as_bytes())?;
    loop {
        let count = hear(stream, input.spare(), deadline)?;
        input.commit(count);
        let reply = match count {
            0 => Some(client.end_of_input().ok().flatten().ok_or(Fault::Closed)?),
            _ => client.advance(&mut input, &mut |_content| ()).map_err(|_| Fault::Mismatch)?,
        };
        match reply {
            None => {}
            Some(_) if !input.is_empty() => return Err(Fault::Mismatch),
            Some(reply) if !(200..300).contains(&reply.status) => return Err(Fault::Status),
            Some(reply) if reply.keep_alive => return Ok(Next::Same),
            Some(_) => return Ok(Next::New),
        }
    }
}

/// A request is far smaller than a send buffer, so this waits for nobody.
fn say(stream: &mut TcpStream, octets: &[u8]) -> Result<(), Fault> {
    stream.write_all(octets).map_err(|error| fault(&error, Fault::of_write))
}

fn hear(stream: &mut TcpStream, room: &mut [u8], deadline: Moment) -> Result<usize, Fault> {
    let left = Duration::from_nanos(deadline.nanos_since(Moment::now()));
    if left.is_zero() {
        return Err(Fault::Timeout);
    }
    stream.set_read_timeout(Some(left)).map_err(|_| Fault::Read)?;
    stream.read(room).map_err(|error| fault(&error, Fault::of_read))
}

/// An expired time-out is reported as `EAGAIN` (SO_RCVTIMEO, socket(7)).
fn fault(error: &io::Error, other: fn(&io::Error) -> Fault) -> Fault {
    use io::ErrorKind::{TimedOut, WouldBlock};
    if matches!(error.kind(), WouldBlock | TimedOut) { Fault::Timeout } else { other(error) }
}
