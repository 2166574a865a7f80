//! Real sockets, and a ring that does to the requests what a kernel may do to them.

mod two_sends;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::apps::{Carriage, Echo, Relay};
use crate::cli::{Cli, Command};
use crate::control::{Control, Patience};
use crate::listener::{address_of, listen};
use crate::proxy::Upstreams;
use crate::proxy::options::Options;
use crate::proxy::site::{Manners, ProxySite};
use crate::stats::Totals;

const LONG: Duration = Duration::from_secs(30);
const OCTETS: usize = 4096;

/// What is done to the first request of a kind, and to every third one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// A receive fails so, though nothing is wrong with the socket.
    Receive(Errno),
    /// A send fails so.
    Send(Errno),
    /// A send takes no more than so many octets.
    ShortSend(usize),
    /// The request for clients ends after the first one.
    OneClient,
    /// It fails so.
    Accept(Errno),
}

/// A ring with a fault.
struct Faulty {
    ring: Uring,
    fault: Fault,
    asked: u64,
    /// Requests that are not handed over, but answered by the fault.
    spoilt: Vec<(Name, Errno)>,
}

impl Faulty {
    fn new(fault: Fault, size: Size) -> Self {
        Self { ring: Uring::new(size).unwrap(), fault, asked: 0, spoilt: Vec::new() }
    }

    /// Whether it is this one's turn.
    fn strikes(&mut self, what: What) -> bool {
        let struck = match self.fault {
            Fault::None => return false,
            Fault::Receive(_) => What::Receive,
            Fault::Send(_) | Fault::ShortSend(_) => What::Send,
            Fault::OneClient | Fault::Accept(_) => What::Accept,
        };
        self.asked += u64::from(what == struck);
        what == struck && self.asked % 3 == 1
    }
}

impl Ring for Faulty {
    fn start(&mut self) -> io::Result<()> {
        self.ring.start()
    }

    unsafe fn ask(&mut self, name: Name, ask: Ask<'_>) {
        let struck = self.strikes(name.what);
        let ask = match (self.fault, ask) {
            (Fault::ShortSend(most), Ask::Send(socket, octets)) if struck => {
                Ask::Send(socket, &octets[..octets.len().min(most)])
            }
            (Fault::Receive(errno) | Fault::Send(errno) | Fault::Accept(errno), _) if struck => {
                return self.spoilt.push((name, errno));
            }
            (_, ask) => ask,
        };
        // SAFETY: as the caller says.
        unsafe { self.ring.ask(name, ask) }
    }

    fn turn(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        for (name, errno) in self.spoilt.drain(..) {
            let (lent, expect) = (None, Expect::Later);
            done.push(Done { name, result: Err(errno), lent, goes_on: false, expect });
        }
        if done.is_empty() {
            self.ring.turn(done)?;
        }
        if self.fault == Fault::OneClient {
            let ended = |done: &&mut Done| done.name.what == What::Accept && done.goes_on;
            for client in done.iter_mut().filter(ended) {
                client.goes_on = false;
                // SAFETY: no octets are lent, and no descriptor is named.
                unsafe {
                    self.ring
                        .ask(Name { what: What::Cancel, ..client.name }, Ask::Cancel(client.name))
                };
            }
        }
        Ok(())
    }

    fn backlog(&mut self) -> usize {
        self.ring.backlog() + self.spoilt.len()
    }

    fn calls(&mut self) -> u64 {
        self.ring.calls()
    }

    fn octets(&self, lent: &Lent, count: u32) -> &[u8] {
        self.ring.octets(lent, count)
    }

    fn take_back(&mut self, lent: Lent) {
        self.ring.take_back(lent);
    }
}

fn patience() -> Patience {
    let long = LONG.into();
    Patience { head: long, body: long, idle: long, write: long, linger: long, drain: long }
}

/// Stops the server, even when a client panics.
struct Stop<'a>(&'a Control);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.enter(Phase::Draining);
    }
}

/// Serves echoes through `ring` while `clients` runs, and stops then. Says what has been counted.
fn serve(ring: impl Ring + Send, clients: impl FnOnce(SocketAddr)) -> Totals {
    serve_app(&Echo, ring, clients)
}

fn serve_app(app: &dyn App, ring: impl Ring + Send, clients: impl FnOnce(SocketAddr)) -> Totals {
    let control = Control::new(patience(), OCTETS);
    let keeper = Keeper::of_a_copy().unwrap();
    let site = Site {
        app,
        control: &control,
        keeper: &keeper,
        workers: 1,
        threads_max: 0,
        stack_octets: 0,
    };
    let listeners = listen("127.0.0.1:0".parse().unwrap(), 128, 1).unwrap();
    let address = address_of(&listeners).unwrap();
    let worker = Proactor::new(&site, &listeners[0], ring).unwrap();
    thread::scope(|scope| {
        let served = scope.spawn(|| worker.run());
        let stop = Stop(&control);
        clients(address);
        drop(stop);
        served.join().unwrap().unwrap();
    });
    control.stats.totals()
}

/// Sends `message` as a whole, and checks that the same comes back, and then the end.
fn echo(address: SocketAddr, message: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            writer.write_all(message).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(back == message, "{} octets came back of {}", back.len(), message.len());
    });
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

/// So many clients at once, each with so many octets.
fn crowd(clients: usize, length: usize) -> impl FnOnce(SocketAddr) {
    move |address| {
        let message = pattern(length);
        thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| echo(address, &message));
            }
        });
    }
}

#[test]
fn every_octet_comes_back_whatever_the_kernel_does() {
    for fault in [
        Fault::None,
        Fault::Receive(Errno::ENOBUFS),
        Fault::Receive(Errno::ECANCELED),
        Fault::Receive(Errno::EINTR),
        Fault::Send(Errno::EAGAIN),
        Fault::Send(Errno::EINTR),
        Fault::ShortSend(1000),
        Fault::OneClient,
        Fault::Accept(Errno::EMFILE),
        Fault::Accept(Errno::ECONNABORTED),
        Fault::Accept(Errno::ECANCELED),
    ] {
        println!("{fault:?}");
        let totals = serve(Faulty::new(fault, Size::of_a_worker(OCTETS)), crowd(5, 300_000));
        assert_eq!((totals.accepted, totals.closed), (5, 5), "{fault:?}");
        assert_eq!((totals.octets_in, totals.octets_out), (1_500_000, 1_500_000), "{fault:?}");
    }
}

/// What comes back for one word. The server may break the connection at any moment.
fn says_hello(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONG))?;
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    Ok(back)
}

#[test]
fn a_connection_that_breaks_is_closed_and_the_others_go_on() {
    for fault in [Fault::Receive(Errno::ECONNRESET), Fault::Send(Errno::EPIPE)] {
        let totals = serve(Faulty::new(fault, Size::of_a_worker(OCTETS)), |address| {
            let talk = |_| usize::from(says_hello(address).is_ok_and(|back| back == b"hello"));
            let whole = (0..20).map(talk).sum::<usize>();
            assert!((1..20).contains(&whole), "{whole} of 20 with {fault:?}");
        });
        assert_eq!((totals.accepted, totals.closed), (20, 20), "{fault:?}");
    }
}

fn options(backend: &str) -> Options {
    let line = "servers run --model uring --app relay --listen 127.0.0.1:0 --backend";
    let words = line.split(' ').chain([backend]);
    let Command::Run(run) = Cli::parse_from(words).command else { panic!("it is to run") };
    run.proxy
}

fn upstreams(backend: &str) -> Upstreams {
    options(backend).upstreams().unwrap()
}

/// A relay to that backend.
fn relay_to(backend: &str) -> Relay {
    let manners = Manners::new(&options(backend), LONG);
    let site = ProxySite::new(Arc::new(upstreams(backend)), manners);
    Relay::new(Arc::new(site), Carriage::Copy).unwrap()
}

/// Sends and receives at the same time, whatever comes of it. Says what came.
fn talk(stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let (mut writer, mut reader) = (&stream, &stream);
    let mut back = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = writer.write_all(&pattern(300_000));
            let _ = stream.shutdown(Shutdown::Write);
        });
        let _ = reader.read_to_end(&mut back);
    });
    back
}

/// A backend that talks to everybody.
fn talker() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || talk(stream));
        }
    });
    address
}

/// Relays 40 talks, a few at a time; says how many of them came through whole.
fn talks(fault: Fault) -> usize {
    let relay = relay_to(&talker());
    let ring = Faulty::new(fault, Size::of_a_worker(OCTETS));
    let mut whole = 0;
    let totals = serve_app(&relay, ring, |address| {
        let one = || talk(TcpStream::connect(address).unwrap()) == pattern(300_000);
        for _ in 0..10 {
            whole += thread::scope(|scope| {
                let few = [(); 4].map(|()| scope.spawn(one));
                few.into_iter().map(|talk| usize::from(talk.join().unwrap())).sum::<usize>()
            });
        }
    });
    assert_eq!((totals.accepted, totals.closed), (40, 40), "{fault:?}");
    whole
}

#[test]
fn a_relay_loses_nothing_on_a_ring_that_fails() {
    for fault in [Fault::None, Fault::Send(Errno::EAGAIN), Fault::ShortSend(1000)] {
        assert_eq!(talks(fault), 40, "{fault:?}");
    }
    for errno in [Errno::EPIPE, Errno::ECONNRESET] {
        assert!(talks(Fault::Send(errno)) < 40, "none is spoilt by {errno}");
    }
}

/// More requests than the queue takes, more answers than the other one holds, one buffer for all.
#[test]
fn a_ring_that_is_much_too_small_loses_nothing() {
    let size = Size { requests: 2, answers: 4, buffers: 1, octets: 64 };
    let totals = serve(Uring::new(size).unwrap(), crowd(50, 2_000));
    assert_eq!((totals.accepted, totals.octets_out), (50, 100_000));
}

/// Nothing of what it was asked is left behind: neither a socket that stays open nor a buffer.
#[test]
fn a_stop_at_once_closes_those_who_wait() {
    let mut idle = None;
    let totals = serve(Uring::new(Size::of_a_worker(OCTETS)).unwrap(), |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        idle = Some(stream);
    });
    assert_eq!(idle.map(|mut stream| stream.read(&mut [0]).unwrap()), Some(0));
    assert_eq!(totals.closed, 1);
}

#[test]
fn a_ring_that_is_dropped_has_ended_what_it_was_asked() {
    let (mut ring, [one, other]) = (Uring::new(Size::of_a_worker(OCTETS)).unwrap(), pair());
    ring.start().unwrap();
    let name = Name { what: What::Receive, token: 1.into() };
    // SAFETY: the socket is open until the ring has gone.
    unsafe { ring.ask(name, Ask::Receive(std::os::fd::AsFd::as_fd(&one), Expect::Later)) };
    drop(ring);
    drop(one);
    // A request that was still open would keep the connection from ending.
    other.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!((&other).read(&mut [0]).unwrap(), 0);
}

fn pair() -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    [one, listener.accept().unwrap().0]
}
