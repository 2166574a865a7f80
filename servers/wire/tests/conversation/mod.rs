//! Drives a machine over a stream that arrives in pieces, and takes down all there is to see.

use wire::http1::{Client, Error, Reply, Server};
use wire::{Buffer, Protocol, Stage, Status};

use crate::fixture::Case;
use crate::site::Site;

/// Octets of the input buffer: more than any case.
const INPUT: usize = 2048;

/// What a server has done with a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Without `100 Continue`, which depends on what has already arrived.
    pub(crate) octets: Vec<u8>,
    pub(crate) consumed: usize,
    pub(crate) status: Status,
    pub(crate) stage: Stage,
    pub(crate) answered: u64,
}

/// How the octets travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Road {
    /// Octets of the output buffer.
    pub(crate) output: usize,
    /// Octets taken out of it at a time.
    pub(crate) taken: usize,
}

/// A road on which nothing ever waits.
pub(crate) const WIDE: Road = Road { output: 4096, taken: 4096 };

/// Lets a server answer `pieces`, one after the other.
pub(crate) fn serve<'a>(
    case: &Case,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    road: Road,
) -> Served {
    let mut talk = Talk {
        server: Server::new(Site, case.limits),
        input: Buffer::new(INPUT),
        output: Buffer::new(road.output),
        octets: Vec::new(),
        taken: road.taken,
    };
    let (mut status, mut fed) = (Status::Open, 0);
    for piece in pieces {
        assert_eq!(talk.input.push(piece), piece.len(), "room for all input");
        fed += piece.len();
        status = talk.run();
        if status == Status::Finished {
            break;
        }
    }
    if case.expires {
        talk.server.expire(&mut talk.output);
        status = talk.run();
    }
    Served {
        octets: without_continue(talk.octets),
        consumed: fed - talk.input.len(),
        status,
        stage: talk.server.stage(),
        answered: talk.server.answered(),
    }
}

struct Talk {
    server: Server<Site>,
    input: Buffer,
    output: Buffer,
    octets: Vec<u8>,
    taken: usize,
}

impl Talk {
    /// Goes on until nothing moves any more.
    fn run(&mut self) -> Status {
        loop {
            let status = self.server.advance(&mut self.input, &mut self.output);
            let count = self.output.len().min(self.taken);
            self.octets.extend(&self.output.filled()[..count]);
            self.output.consume(count);
            let sent = if self.output.is_empty() { self.send_outside() } else { 0 };
            if count == 0 && sent == 0 {
                return status;
            }
        }
    }

    fn send_outside(&mut self) -> u64 {
        let count = self.server.outside().min(self.taken as u64);
        self.octets.extend(std::iter::repeat_n(b'o', count as usize));
        self.server.sent_outside(count);
        count
    }
}

fn without_continue(octets: Vec<u8>) -> Vec<u8> {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    match octets.windows(interim.len()).position(|part| part == interim) {
        Some(at) => [&octets[..at], &octets[at + interim.len()..]].concat(),
        None => octets,
    }
}

/// What a client has made of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) replies: Vec<Reply>,
    pub(crate) body: Vec<u8>,
    pub(crate) consumed: usize,
    pub(crate) error: Option<Error>,
}

/// Lets a client read `pieces`, one after the other.
pub(crate) fn receive<'a>(case: &Case, pieces: impl IntoIterator<Item = &'a [u8]>) -> Received {
    let mut client = Client::new(case.limits);
    case.asked.iter().for_each(|method| client.sent(*method));
    let mut input = Buffer::new(INPUT);
    let mut received = Received { replies: vec![], body: vec![], consumed: 0, error: None };
    let mut fed = 0;
    for piece in pieces {
        assert_eq!(input.push(piece), piece.len(), "room for all input");
        fed += piece.len();
        received.read(&mut client, &mut input);
        if received.error.is_some() {
            break;
        }
    }
    received.consumed = fed - input.len();
    if case.closes && received.error.is_none() {
        received.note(client.end_of_input());
    }
    received
}

impl Received {
    fn read(&mut self, client: &mut Client, input: &mut Buffer) {
        loop {
            let result = client.advance(input, &mut |octets| self.body.extend(octets));
            if !self.note(result) {
                return;
            }
        }
    }

    /// Whether there may be more.
    fn note(&mut self, result: Result<Option<Reply>, Error>) -> bool {
        match result {
            Ok(reply) => self.replies.extend(reply),
            Err(error) => self.error = Some(error),
        }
        matches!(result, Ok(Some(_)))
    }
}
