//! What proxies do where there are no descriptors left.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use process::{SERVERS, Server, eventually, expect, models};
use servers::models::AtOnce;

/// The most descriptors of a table.
const LIMIT: usize = 64;
const LIMITED: [&str; 4] = ["prlimit", "--nofile=64", "--", SERVERS];

/// Does it for each model that has more than one client at a time, or has them wait in its own table.
fn everywhere(test: impl Fn(&str)) {
    for model in models().filter(|model| model.at_once != AtOnce::One) {
        println!("{}", model.name);
        test(model.name);
    }
}

fn limited(model: &str, app: &str, backends: &[String], flags: &[&str]) -> Server {
    let named = backends.iter().flat_map(|backend| ["--backend", backend]);
    let flags = named.chain(flags.iter().copied()).collect::<Vec<_>>();
    Server::start_by(&LIMITED, model, app, &flags)
}

/// Sends a megabyte through a relay to an echo, and has all of it back.
fn send_and_expect(stream: &mut TcpStream) {
    let message = (0..1 << 20).map(|place| (place * 31 + place / 251) as u8).collect::<Vec<_>>();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&message).unwrap());
        expect(stream, &message);
    });
}

#[test]
fn a_relay_by_splice_that_gets_no_pipe_copies_until_it_gets_one() {
    let echo = Server::start("epoll-level", "echo", &[]);
    everywhere(|model| {
        let backends = [echo.address.to_string()];
        let mut relay = limited(model, "relay", &backends, &["--relay-by", "splice"]);
        let mut first = relay.connect();
        let others = (0..LIMIT).map(|_| relay.try_connect()).collect::<Vec<_>>();
        // There is none left, or one that is too few for another client and its backend.
        eventually("the table is full", || relay.descriptors() >= LIMIT - 1);
        send_and_expect(&mut first);
        drop(others);
        eventually("there is room again", || relay.descriptors() < LIMIT / 2);
        send_and_expect(&mut first);
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(first.read(&mut [0]).unwrap(), 0);
        let counters = relay.stop();
        assert!(counters["loads_without_pipe"].as_u64() > Some(0), "{counters}");
    });
}
