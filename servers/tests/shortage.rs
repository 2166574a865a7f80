//! What proxies do where there are no descriptors left.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use process::scripted::{GET, OK, Scripted, read_answer};
use process::{LONG, SERVERS, Server, eventually, expect, models};
use servers::models::{AtOnce, Family, Model, Workers};

/// The most descriptors of a table.
const LIMIT: usize = 64;
const LIMITED: [&str; 4] = ["prlimit", "--nofile=64", "--", SERVERS];

/// Does it for each model that takes on more than one client, in one table.
fn everywhere(test: impl Fn(&Model)) {
    let fitting = |model: &&Model| model.at_once != AtOnce::One && model.tables == 1;
    for model in models().filter(fitting) {
        println!("{}", model.name);
        test(model);
    }
}

/// With one worker, where the model lets us choose how many share what there is.
fn limited(model: &Model, app: &str, backends: &[String], flags: &[&str]) -> Server {
    let named = backends.iter().flat_map(|backend| ["--backend", backend]);
    let alone = if model.workers == Workers::PerCpu { &["--workers", "1"][..] } else { &[] };
    let flags = named.chain(flags.iter().copied()).chain(alone.iter().copied());
    Server::start_by(&LIMITED, model.name, app, &flags.collect::<Vec<_>>())
}

/// Sends a megabyte, which arrives as it was.
fn tell(from: &mut TcpStream, to: &mut TcpStream) {
    let message = (0..1 << 20).map(|place| (place * 31 + place / 251) as u8).collect::<Vec<_>>();
    thread::scope(|scope| {
        scope.spawn(|| from.write_all(&message).unwrap());
        expect(to, &message);
    });
}

/// Writes until nothing more fits.
fn fill(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    while stream.write(&[b'x'; 1 << 16]).is_ok() {}
}

/// A backend, and where it listens.
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

#[test]
fn a_relay_by_splice_that_gets_no_pipe_copies_until_it_gets_one() {
    everywhere(|model| {
        let (listener, address) = backend();
        let mut relay = limited(model, "relay", &[address], &["--relay-by", "splice"]);
        let (mut client, mut backend) = (relay.connect(), accept(&listener));
        let others = (0..LIMIT).map(|_| relay.try_connect()).collect::<Vec<_>>();
        // There is none left, or one that is too few for another client and its backend.
        eventually("the table is full", || relay.descriptors() >= LIMIT - 1);
        tell(&mut client, &mut backend);
        tell(&mut backend, &mut client);
        drop((others, listener));
        eventually("there is room again", || relay.descriptors() < LIMIT / 2);
        tell(&mut client, &mut backend);
        tell(&mut backend, &mut client);
        drop((client, backend));
        let counters = relay.stop();
        assert!(counters["loads_without_pipe"].as_u64() > Some(0), "{counters}");
    });
}

#[test]
fn a_relay_closes_empty_pipes_when_their_descriptors_are_wanted_for_clients() {
    // A thread that waits in its calls keeps what belongs to its client.
    everywhere(|model| {
        if model.family == Family::Blocking {
            return;
        }
        let (listener, address) = backend();
        let relay = limited(model, "relay", &[address], &["--relay-by", "splice"]);
        let connect = |_| (relay.connect(), accept(&listener));
        let at_rest = relay.descriptors();
        let mut busy = (0..8).map(connect).collect::<Vec<_>>();
        // What nobody reads stays in pipes.
        thread::scope(|scope| {
            busy.iter_mut().for_each(|(client, _)| drop(scope.spawn(|| fill(client))));
        });
        eventually("each has a pipe", || relay.descriptors() >= at_rest + 8 * 4);
        busy.iter_mut().for_each(|(client, _)| client.shutdown(Shutdown::Write).unwrap());
        for (client, mut backend) in busy {
            std::io::copy(&mut backend, &mut std::io::sink()).unwrap();
            drop((client, backend));
        }
        eventually("their sockets are closed", || relay.sockets().len() <= 2);
        let mut others = (0..20).map(connect).collect::<Vec<_>>();
        for (client, backend) in &mut others {
            client.write_all(b"hello").unwrap();
            expect(backend, b"hello");
        }
    });
}

/// More backends than the table has room for connections to them.
fn many() -> (Vec<Scripted>, Vec<String>) {
    let backends = (0..LIMIT).map(|_| Scripted::answering(OK)).collect::<Vec<_>>();
    let addresses = backends.iter().map(|backend| backend.address.clone()).collect();
    (backends, addresses)
}

fn is_answered(client: &mut TcpStream) -> bool {
    client.write_all(GET).unwrap();
    read_answer(client) == (200, "ok".into())
}

/// Longer than a test: nothing is let go for its age.
const FOR_LONG: [&str; 2] = ["--link-idle", "1h"];

#[test]
fn a_proxy_closes_idle_links_when_their_descriptors_are_wanted() {
    let (_backends, addresses) = many();
    everywhere(|model| {
        let proxy = limited(model, "proxy", &addresses, &FOR_LONG);
        let mut clients = vec![proxy.connect()];
        for number in 0..2 * LIMIT {
            assert!(is_answered(&mut clients[0]), "{}: to backend {number}", model.name);
        }
        assert!(proxy.descriptors() >= LIMIT - 1, "links are kept while there is room");
        for number in 0..8 {
            let mut client = proxy.connect();
            assert!(is_answered(&mut client), "{}: for client {number}", model.name);
            clients.push(client);
        }
        assert!(clients.iter_mut().all(is_answered), "{}", model.name);
    });
}

#[test]
fn a_worker_closes_idle_links_when_another_has_no_descriptor() {
    let (_backends, addresses) = many();
    for model in models().filter(|model| model.workers == Workers::PerCpu) {
        println!("{}", model.name);
        let named = addresses.iter().flat_map(|address| ["--backend", address]);
        let flags = named.chain(["--workers", "2"]).chain(FOR_LONG).collect::<Vec<_>>();
        let proxy = Server::start_by(&LIMITED, model.name, "proxy", &flags);
        let mut first = proxy.connect();
        eventually("the table is full", || {
            is_answered(&mut first) && proxy.descriptors() >= LIMIT - 1
        });
        // They stay, so what the other worker needs for its own is not given back meanwhile.
        let mut clients = (0..6).map(|_| proxy.connect()).collect::<Vec<_>>();
        for client in &mut clients {
            // Who finds no descriptor for a backend is told so (503), and asks once more.
            eventually("a client of either worker is answered", || is_answered(client));
        }
    }
}
