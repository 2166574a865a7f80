//! A server with one fault, to prove that the fault is noticed.
//!
//! It has a thread for each connection. Requests are counted over all of them, so that one in ten
//! thousand is exactly that. The first connection is the one that is treated badly, if any is.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

/// What the server does wrong. "Now and then" is once in as many requests as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Now and then a request is never answered.
    Loses,
    /// One single request is answered twice.
    RepeatsOnce,
    /// One single request is answered twice, with 5 ms between the replies.
    RepeatsOnceLater,
    /// Each request is answered twice.
    Repeats,
    /// Each request is answered twice, with 5 ms between the replies.
    RepeatsLater,
    /// The first connection has no answer any more after its first ten.
    Starves,
    /// The first connection is answered 50 times less often than any other one.
    Neglects,
    /// Now and then the connection is closed in place of an answer.
    Closes,
    /// Now and then the reply is the one to the request before, which was most likely another
    /// client's.
    MixesUp,
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speech {
    /// Messages of 64 octets come back.
    Echo,
    /// Requests without a body have `ok` for an answer.
    Http,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Answer,
    Ignore,
    Repeat,
    RepeatLater,
    Close,
    MixUp,
    Neglect,
}

const MESSAGE_OCTETS: usize = 64;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const LATER: Duration = Duration::from_millis(5);

/// How long nobody has to ask for anything until it is the turn of a neglected connection.
const QUIET: Duration = Duration::from_millis(50);

/// The server.
#[derive(Debug)]
pub(crate) struct Faulty {
    fault: Fault,
    speech: Speech,
    every: u64,
    requests: AtomicU64,
    connections: AtomicU64,
    last: Mutex<Vec<u8>>,
    later: Sender<Later>,
}

/// A reply for which it is too early.
#[derive(Debug)]
struct Later {
    when: Instant,
    stream: Arc<TcpStream>,
    reply: Vec<u8>,
}

impl Faulty {
    /// Makes a server that commits its fault once in `every` requests, if it does so now and then.
    #[must_use]
    pub(crate) fn new(fault: Fault, speech: Speech, every: u64) -> Self {
        let (later, replies) = mpsc::channel();
        thread::spawn(move || send_later(&replies));
        let (requests, connections) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { fault, speech, every, requests, connections, last: Mutex::default(), later }
    }

    /// Serves whoever comes, without an end.
    pub(crate) fn serve(self, listener: &TcpListener) {
        let server = Arc::new(self);
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&server);
            // A connection that ends badly has ended.
            thread::spawn(move || drop(server.attend(stream)));
        }
    }

    fn attend(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let stream = Arc::new(stream);
        let is_first = self.connections.fetch_add(1, Ordering::Relaxed) == 0;
        let mut reader = BufReader::new(&*stream);
        let mut request = Vec::new();
        for turn in 1.. {
            self.speech.read(&mut reader, &mut request)?;
            let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
            let deed = if is_first { self.deed_to_first(turn) } else { None };
            self.act(deed.unwrap_or_else(|| self.deed(count)), &stream, &request)?;
        }
        Ok(())
    }

    /// What becomes of a request of the first connection, by its number there.
    fn deed_to_first(&self, turn: u64) -> Option<Deed> {
        match self.fault {
            Fault::Starves if turn > 10 => Some(Deed::Ignore),
            Fault::Neglects => Some(Deed::Neglect),
            _ => None,
        }
    }

    /// What becomes of a request, by its number over all connections.
    fn deed(&self, count: u64) -> Deed {
        let half = self.every / 2;
        let (now_and_then, once) = (count % self.every == half, count == half);
        match self.fault {
            Fault::Loses if now_and_then => Deed::Ignore,
            Fault::Closes if now_and_then => Deed::Close,
            Fault::MixesUp if now_and_then => Deed::MixUp,
            Fault::RepeatsOnce if once => Deed::Repeat,
            Fault::RepeatsOnceLater if once => Deed::RepeatLater,
            Fault::Repeats => Deed::Repeat,
            Fault::RepeatsLater => Deed::RepeatLater,
            _ => Deed::Answer,
        }
    }

    fn act(&self, deed: Deed, stream: &Arc<TcpStream>, request: &[u8]) -> io::Result<()> {
        let reply = self.speech.reply(request);
        let before = self.remember(reply);
        let mut writer = &**stream;
        match deed {
            Deed::Answer => writer.write_all(reply),
            Deed::Ignore => Ok(()),
            Deed::Repeat => writer.write_all(&[reply, reply].concat()),
            Deed::RepeatLater => {
                self.repeat_later(stream, reply);
                writer.write_all(reply)
            }
            Deed::Close => stream.shutdown(Shutdown::Both),
            Deed::MixUp => writer.write_all(&before),
            Deed::Neglect => {
                self.turn_to_others();
                writer.write_all(reply)
            }
        }
    }

    /// Keeps a reply for [`Deed::MixUp`], and gives back the one before it.
    fn remember(&self, reply: &[u8]) -> Vec<u8> {
        if self.fault != Fault::MixesUp {
            return Vec::new();
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, reply.to_vec())
    }

    fn repeat_later(&self, stream: &Arc<TcpStream>, reply: &[u8]) {
        let (when, stream) = (Instant::now() + LATER, Arc::clone(stream));
        // The thread at the other end goes on for as long as this server.
        let _ = self.later.send(Later { when, stream, reply: reply.to_vec() });
    }

    /// Waits until each other connection had 50 turns on average, or nobody wants one.
    fn turn_to_others(&self) {
        let asked = || self.requests.load(Ordering::Relaxed);
        let goal = asked() + 50 * self.connections.load(Ordering::Relaxed);
        let (mut seen, mut since) = (asked(), Instant::now());
        while asked() < goal && since.elapsed() < QUIET {
            thread::sleep(Duration::from_millis(1));
            if asked() > seen {
                (seen, since) = (asked(), Instant::now());
            }
        }
    }
}

impl Speech {
    fn read(self, reader: &mut impl BufRead, request: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Echo => {
                request.resize(MESSAGE_OCTETS, 0);
                reader.read_exact(request)
            }
            Self::Http => read_head(reader, request),
        }
    }

    fn reply(self, request: &[u8]) -> &[u8] {
        match self {
            Self::Echo => request,
            Self::Http => OK,
        }
    }
}

fn read_head(reader: &mut impl BufRead, head: &mut Vec<u8>) -> io::Result<()> {
    head.clear();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.by_ref().take(4096).read_until(b'\n', head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Sends each reply when its time has come. All are late by the same time, so they are in order.
fn send_later(replies: &Receiver<Later>) {
    for Later { when, stream, reply } in replies {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        // A connection that has ended wants no more replies.
        let _ = (&*stream).write_all(&reply);
    }
}
