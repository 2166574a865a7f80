//! Relays and their backends: who is asked, and what is said of whom.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use process::admin::{Proxy, get};
use process::relaying::{everywhere, relay, relay_with};
use process::scripted::{Deaf, Scripted, nobody};
use process::{LONG, Server, eventually, expect, reset};

#[test]
fn a_backend_that_refuses_or_does_not_accept_is_passed_over() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let deaf = Deaf::new();
    everywhere(|model, way| {
        let backends = [nobody(), deaf.address.clone(), echo.address.to_string()];
        let relay = relay_with(&["--connect-timeout", "100ms"], model, way, &backends);
        for _ in 0..4 {
            let mut client = relay.connect();
            client.write_all(b"anybody?").unwrap();
            expect(&mut client, b"anybody?");
        }
    });
}

#[test]
fn what_becomes_of_a_connection_is_said_of_its_backend() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let (deaf, backends) = (Deaf::new(), [nobody(), echo.address.to_string()]);
    let flags = ["--connect-timeout", "100ms", "--fall", "1", "--ejection", "1h"];
    let backends = [&backends[0], &deaf.address, &backends[1]];
    everywhere(|model, way| {
        let named = backends.map(|backend| ["--backend", backend]);
        let flags = [&["--relay-by", way], &flags[..], named.as_flattened()].concat();
        let relay = Proxy::start(model, "relay", &flags);
        for _ in 0..2 {
            let mut client = relay.connect();
            client.write_all(b"anybody?").unwrap();
            expect(&mut client, b"anybody?");
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
        eventually("both have ended", || relay.backend(2)["outcomes"]["answered"] == 2);
        let [refusing, deaf] = [relay.backend(0), relay.backend(1)];
        assert!(refusing["outcomes"]["refused"] == 1 && refusing["removals"] == 1, "{refusing:#}");
        assert!(deaf["outcomes"]["timed_out"].as_u64() >= Some(1), "{deaf:#}");
    });
}

#[test]
fn a_relay_is_a_second_attempt_only_until_it_is_connected() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let (refusing, answering) = (nobody(), echo.address.to_string());
    everywhere(|model, way| {
        let backends = ["--backend", &refusing, "--backend", &answering];
        let relay = Proxy::start(model, "relay", &[&["--relay-by", way], &backends[..]].concat());
        let mut client = relay.connect();
        client.write_all(b"hello").unwrap();
        expect(&mut client, b"hello");
        let metrics = get(relay.admin, "/metrics");
        let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let retries = (value("servers_retries_total "), value("servers_retries_open "));
        assert_eq!(retries, ("1", "0"), "made, and under way");
    });
}

#[test]
fn a_backend_that_leaves_after_its_last_word_has_not_failed() {
    let parting = Scripted::new(|mut stream, _| {
        expect(&mut stream, b"hello");
        stream.write_all(b"that is all").unwrap();
    });
    let breaking = Scripted::new(|mut stream, _| {
        expect(&mut stream, b"hello");
        reset(stream);
    });
    everywhere(|model, way| {
        for (backend, broken) in [(&parting, false), (&breaking, true)] {
            let flags = ["--relay-by", way, "--backend", &backend.address];
            let relay = Proxy::start(model, "relay", &flags);
            let mut client = relay.connect();
            client.write_all(b"hello").unwrap();
            let _ = client.read_to_end(&mut Vec::new());
            eventually("the client is told", || client.write_all(b"go on").is_err());
            eventually("it is over", || relay.backend(0)["open"] == 0);
            assert_eq!(relay.backend(0)["outcomes"]["broken"], u64::from(broken));
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
