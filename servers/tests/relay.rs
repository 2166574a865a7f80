//! A relay in every model: what goes in comes out, both ways at once, and so does how it ends.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use process::relaying::{everywhere, relay, relay_with};
use process::{LONG, Server, eventually, expect, reset};
use servers::session::End;

/// Octets that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

fn backend() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// Takes its time to read exactly what is expected.
fn expect_slowly(stream: &mut TcpStream, expected: &[u8]) {
    for part in expected.chunks(256 << 10) {
        expect(stream, part);
        thread::sleep(Duration::from_millis(2));
    }
}

/// Reads what is left, and how it ends: with an error, or as if that were all.
fn end_of(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    std::io::copy(stream, &mut std::io::sink())
        .map(|count| count as usize)
        .map_err(|error| error.kind())
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
fn what_a_backend_says_while_it_is_being_connected_arrives_in_order() {
    let greeting = pattern(200_000);
    everywhere(|model, way| {
        let (listener, address) = backend();
        let relay = relay(model, way, &[address]);
        for _ in 0..20 {
            let mut client = relay.connect();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut server = accept(&listener);
                    server.write_all(&greeting).unwrap();
                    server.shutdown(Shutdown::Write).unwrap();
                    assert_eq!(server.read(&mut [0]).unwrap(), 0);
                });
                expect(&mut client, &greeting);
                assert_eq!(end_of(&mut client), Ok(0));
                client.shutdown(Shutdown::Write).unwrap();
            });
        }
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

/// Writes until nothing more fits; says how many octets did.
fn fill(stream: &mut TcpStream, octets: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(&octets[sent..]) {
        sent += count;
        assert!(sent < octets.len(), "it never stops");
    }
    stream.set_write_timeout(Some(LONG)).unwrap();
    sent
}

#[test]
fn a_peer_that_does_not_read_stops_the_other_and_costs_no_memory() {
    let all = pattern(64 << 20);
    everywhere(|model, way| {
        if way == "sockmap" {
            // The kernel takes what comes as fast as it comes: nothing stops the one who sends.
            return;
        }
        for silent in [End::Client, End::Upstream] {
            let (listener, address) = backend();
            let mut relay = relay(model, way, &[address]);
            let (client, server) = (relay.connect(), accept(&listener));
            let before = relay.resident();
            let (mut sender, mut silent) = match silent {
                End::Client => (server, client),
                End::Upstream => (client, server),
            };
            let sent = fill(&mut sender, &all);
            let grown = || relay.resident().saturating_sub(before);
            assert!(grown() < 256 << 10, "{} octets more than before, of {sent}", grown());
            thread::scope(|scope| {
                scope.spawn(|| {
                    sender.write_all(&all[sent..]).unwrap();
                    sender.shutdown(Shutdown::Write).unwrap();
                });
                all.chunks(1 << 20).for_each(|part| expect(&mut silent, part));
                assert_eq!(end_of(&mut silent), Ok(0), "all of it comes in the end");
            });
            assert!(grown() < 256 << 10, "{} octets more than before", grown());
            assert!(relay.runs());
        }
    });
}

/// Octets of a transfer that is under way when something happens.
const TRANSFER: usize = 32 << 20;

/// How a transfer was cut, for the one who sends: in a write, or when all was taken, in a read.
fn send_all_and_see(server: &mut TcpStream, all: &[u8]) -> Result<usize, ErrorKind> {
    let cut = server.write_all(all).and_then(|()| {
        server.shutdown(Shutdown::Write)?;
        server.read(&mut [0])
    });
    cut.map_err(|error| error.kind())
}

const CUTS: [Result<usize, ErrorKind>; 3] = [
    Err(ErrorKind::ConnectionReset),
    Err(ErrorKind::BrokenPipe),
    // The reset came between two calls.
    Err(ErrorKind::NotConnected),
];

#[test]
fn who_does_not_read_for_too_long_sees_a_reset_after_what_has_come() {
    let all = pattern(TRANSFER);
    everywhere(|model, way| {
        let (listener, address) = backend();
        let flags = ["--write-timeout", "300ms", "--idle-timeout", "1h"];
        let relay = relay_with(&flags, model, way, &[address]);
        let mut client = relay.connect();
        let cut = send_all_and_see(&mut accept(&listener), &all);
        assert!(CUTS.contains(&cut), "{cut:?}");
        assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_relay_that_is_told_to_stop_goes_on_until_both_sides_have_ended() {
    let all = pattern(TRANSFER);
    let (first, second) = all.split_at(TRANSFER / 2);
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay_with(&["--drain-timeout", "1h"], model, way, &[address]);
        let mut client = relay.connect();
        let mut server = accept(&listener);
        thread::scope(|scope| {
            scope.spawn(|| {
                server.write_all(first).unwrap();
                expect(&mut server, b"go on");
                // Nothing is on its way now, and the client waits.
                thread::sleep(Duration::from_millis(300));
                server.write_all(second).unwrap();
                server.shutdown(Shutdown::Write).unwrap();
                assert_eq!(server.read(&mut [0]).unwrap(), 0);
            });
            let (begun, rest) = first.split_at(1 << 20);
            expect_slowly(&mut client, begun);
            relay.signal(Signal::SIGTERM);
            expect_slowly(&mut client, rest);
            client.write_all(b"go on").unwrap();
            expect_slowly(&mut client, second);
            assert_eq!(end_of(&mut client), Ok(0));
            client.shutdown(Shutdown::Write).unwrap();
        });
        assert!(relay.wait().success());
    });
}

#[test]
fn what_a_second_signal_cuts_is_reset_and_does_not_look_like_all() {
    let all = pattern(TRANSFER);
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay_with(&["--drain-timeout", "1h"], model, way, &[address]);
        let mut client = relay.connect();
        let mut server = accept(&listener);
        thread::scope(|scope| {
            let sending = scope.spawn(|| send_all_and_see(&mut server, &all));
            expect(&mut client, &all[..1 << 20]);
            relay.signal(Signal::SIGTERM);
            relay.signal(Signal::SIGINT);
            assert!(relay.wait().success());
            assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
            let cut = sending.join().unwrap();
            assert!(CUTS.contains(&cut), "{cut:?}");
        });
    });
}

#[test]
fn who_is_idle_when_the_time_to_drain_is_over_sees_a_reset() {
    everywhere(|model, way| {
        let (listener, address) = backend();
        let mut relay = relay_with(&["--drain-timeout", "200ms"], model, way, &[address]);
        let mut client = relay.connect();
        let mut server = accept(&listener);
        server.write_all(b"welcome").unwrap();
        expect(&mut client, b"welcome");
        relay.signal(Signal::SIGTERM);
        assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
        assert_eq!(end_of(&mut server), Err(ErrorKind::ConnectionReset));
        assert!(relay.wait().success());
    });
}
