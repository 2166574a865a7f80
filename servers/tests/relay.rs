//! A relay in every model: what goes in comes out, both ways at once, and so does how it ends.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use process::{LONG, Server, eventually, expect, models, reset};

const WAYS: [&str; 3] = ["copy", "splice", "sockmap"];

/// Octets that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

fn relay(model: &str, way: &str, backends: &[String]) -> Server {
    let mut flags = vec!["--relay-by", way];
    for backend in backends {
        flags.extend(["--backend", backend]);
    }
    Server::start(model, "relay", &flags)
}

/// Does it for each model and each way of carrying.
fn everywhere(test: impl Fn(&str, &str)) {
    for model in models() {
        for way in WAYS.into_iter().filter(|way| has_way(way)) {
            println!("{} by {way}", model.name);
            test(model.name, way);
        }
    }
}

/// Whether this host has that way; if not, it says so.
fn has_way(way: &str) -> bool {
    let missing = packet::bpf::missing().filter(|_| way == "sockmap");
    missing.inspect(|missing| eprintln!("SKIPPED {way}: {missing}")).is_none()
}

fn backend() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// The address of nobody: a port that was free a moment ago.
fn nobody() -> String {
    backend().1
}

#[test]
fn megabytes_go_both_ways_at_once_and_so_does_the_end() {
    let echo = Server::start("epoll-level", "echo", &[]);
    everywhere(|model, way| {
        let relay = relay(model, way, &[echo.address.to_string()]);
        let mut stream = relay.connect();
        let mut writer = stream.try_clone().unwrap();
        let message = pattern(100_000);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    writer.write_all(&message).unwrap();
                }
                writer.shutdown(Shutdown::Write).unwrap();
            });
            for _ in 0..20 {
                expect(&mut stream, &message);
            }
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end comes back too");
        });
    });
}

#[test]
fn either_side_may_speak_first_and_end_first() {
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay(model, way, &[address]);
        let mut client = relay.connect();
        let mut server = accept(&listener);
        server.write_all(b"welcome").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        expect(&mut client, b"welcome");
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        client.write_all(b"and yet").unwrap();
        expect(&mut server, b"and yet");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        eventually("the session is over", || relay.stop()["open"] == 0);
    });
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    everywhere(|model, way| {
        let (listener, address) = backend();
        let relay = relay(model, way, &[address]);
        for round in 0..2 {
            let mut client = relay.connect();
            client.write_all(b"hello").unwrap();
            let mut server = accept(&listener);
            expect(&mut server, b"hello");
            let mut other = if round == 0 {
                reset(client);
                server
            } else {
                reset(server);
                client
            };
            let error = other.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "round {round}");
        }
    });
}

#[test]
fn a_backend_that_refuses_is_passed_over() {
    let echo = Server::start("epoll-level", "echo", &[]);
    everywhere(|model, way| {
        let relay = relay(model, way, &[nobody(), echo.address.to_string()]);
        for _ in 0..4 {
            let mut client = relay.connect();
            client.write_all(b"anybody?").unwrap();
            expect(&mut client, b"anybody?");
        }
    });
}

#[test]
fn where_there_is_no_backend_the_client_sees_a_reset() {
    everywhere(|model, way| {
        let relay = relay(model, way, &[nobody()]);
        // It may come before anything else is done with the connection.
        let ended = TcpStream::connect(relay.address).and_then(|mut client| {
            client.set_read_timeout(Some(LONG))?;
            client.read(&mut [0])
        });
        assert!(ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_peer_that_does_not_read_stops_the_other_and_costs_no_memory() {
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay(model, way, &[address]);
        let mut client = relay.connect();
        let server = accept(&listener);
        client.write_all(b"x").unwrap();
        client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        if way == "sockmap" {
            // The kernel takes what comes as fast as it comes: nothing stops the one who sends.
            return;
        }
        let before = relay.resident();
        let block = pattern(1 << 20);
        let mut sent = 0;
        while let Ok(count) = client.write(&block) {
            sent += count;
            assert!(sent < 256 << 20, "it never stops");
        }
        let grown = relay.resident().saturating_sub(before);
        assert!(grown < 256 << 10, "{grown} octets more than before");
        assert!(relay.runs());
        drop(server);
    });
}

#[test]
fn a_relay_that_is_told_to_stop_lets_what_is_on_its_way_finish() {
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay(model, way, &[address]);
        let mut idle = relay.connect();
        let _idle = accept(&listener);
        relay.signal(Signal::SIGTERM);
        assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
        assert!(relay.wait().success());
    });
}
