//! Deadlines: who is busy is not cut, and who is told to stop still keeps them.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use process::Server;
use process::scripted::{Deaf, GET, OK, Scripted, everywhere, everywhere_at_once};
use process::scripted::{proxy, read_answer, read_head};
use servers::models::{AtOnce, model};

/// How many clients a model serves beside each other here.
fn clients(name: &str) -> usize {
    if model(name).unwrap().at_once == AtOnce::One { 1 } else { 4 }
}

/// Reads as fast as it can for so long; says whether there was something to read until the end.
fn reads_for(mut stream: TcpStream, time: Duration) -> bool {
    let mut octets = vec![0; 1 << 20];
    let start = Instant::now();
    while start.elapsed() < time {
        if !stream.read(&mut octets).is_ok_and(|count| count > 0) {
            return false;
        }
    }
    true
}

/// Clients who read faster than one thread writes: it never finds a socket full, and spends its
/// whole budget in each turn.
#[test]
fn a_transfer_that_never_pauses_is_not_cut() {
    everywhere(|model| {
        let server = Server::start(model, "http", &["--idle-timeout", "1s", "--workers", "1"]);
        thread::scope(|scope| {
            let clients = (0..clients(model)).map(|_| {
                let mut stream = server.connect();
                stream.write_all(b"GET /bytes/1000000000000 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
                scope.spawn(|| reads_for(stream, Duration::from_millis(2500)))
            });
            let clients = clients.collect::<Vec<_>>();
            assert!(clients.into_iter().all(|client| client.join().unwrap()), "one is cut");
        });
    });
}

/// How long a client is kept that says nothing.
fn kept(mut client: TcpStream, since: Instant) -> Duration {
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    since.elapsed()
}

/// They come at all moments of a tick.
#[test]
fn nobody_is_let_go_before_the_time() {
    everywhere_at_once(|model| {
        let server = Server::start(model, "http", &["--idle-timeout", "300ms"]);
        let come = |_| {
            thread::sleep(Duration::from_millis(7));
            (Instant::now(), server.connect())
        };
        let come = (0..clients(model) * 10).map(come).collect::<Vec<_>>();
        for (since, client) in come {
            let time = kept(client, since);
            assert!(time >= Duration::from_millis(300), "{model}: {time:?}");
        }
    });
}

const SPAN: Duration = Duration::from_millis(400);
const DRAIN: &str = "5s";

#[test]
fn a_backend_that_does_not_connect_is_passed_over_while_the_server_stops() {
    everywhere_at_once(|model| {
        let (deaf, backend) = (Deaf::new(), Scripted::answering(OK));
        let flags = ["--connect-timeout", "400ms", "--drain-timeout", DRAIN];
        let mut proxy = proxy(model, &[&deaf.address, &backend.address], &flags);
        let mut stream = proxy.connect();
        let start = Instant::now();
        stream.write_all(GET).unwrap();
        proxy.signal(Signal::SIGTERM);
        assert_eq!(read_answer(&mut stream), (200, "ok".into()));
        assert!(start.elapsed() >= SPAN, "the other one was asked first");
        assert!(proxy.wait().success());
    });
}

#[test]
fn a_backend_that_does_not_answer_is_504_while_the_server_stops() {
    everywhere_at_once(|model| {
        let silent = Scripted::new(|mut stream, _| {
            read_head(&mut stream);
            read_head(&mut stream);
        });
        let flags = ["--response-timeout", "400ms", "--drain-timeout", DRAIN];
        let mut proxy = proxy(model, &[&silent.address], &flags);
        let mut stream = proxy.connect();
        stream.write_all(GET).unwrap();
        proxy.signal(Signal::SIGTERM);
        assert_eq!(read_answer(&mut stream).0, 504);
        assert!(proxy.wait().success());
    });
}

/// A client is given no more time for the rest of its request because the server is to stop.
#[test]
fn a_body_that_does_not_come_is_given_up_while_the_server_stops() {
    everywhere_at_once(|model| {
        let flags = ["--body-timeout", "400ms", "--drain-timeout", DRAIN];
        let mut server = Server::start(model, "http", &flags);
        let mut stream = server.connect();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc").unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
        let start = Instant::now();
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success());
        assert!(start.elapsed() < Duration::from_secs(4), "it has waited for the end of the drain");
    });
}
