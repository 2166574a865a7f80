//! How relays end: by ends and resets, of either side, in each order; and that nothing is left of
//! them.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use process::relaying::ways;
use process::{LONG, Server, eventually, expect, has, models, reset};

/// A relay, and the only backend that it has.
struct Bench {
    relay: Server,
    /// How many sockets it has without clients.
    listeners: usize,
    listener: TcpListener,
}

/// How many sockets a server has, in whichever tables.
fn sockets(server: &Server) -> usize {
    server.sockets().into_iter().collect::<HashSet<_>>().len()
}

impl Bench {
    fn new(model: &str, way: &str, flags: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = listener.local_addr().unwrap().to_string();
        let flags = [&["--relay-by", way, "--backend", &backend], flags].concat();
        let relay = Server::start(model, "relay", &flags);
        Self { listeners: sockets(&relay), relay, listener }
    }

    /// A client and a backend that the relay has connected.
    fn pair(&self) -> [TcpStream; 2] {
        let client = self.relay.connect();
        let (backend, _) = self.listener.accept().unwrap();
        backend.set_read_timeout(Some(LONG)).unwrap();
        backend.set_write_timeout(Some(LONG)).unwrap();
        [client, backend]
    }
}

/// Does it for each model and each way of carrying that this host has.
fn everywhere(flags: &[&str], test: impl Fn(&Bench, &str)) {
    for model in models() {
        for way in ways() {
            println!("{} by {way}", model.name);
            test(&Bench::new(model.name, way, flags), way);
        }
    }
}

/// Says something, and that this was all.
fn say_and_end(stream: &mut TcpStream, words: &[u8]) {
    stream.write_all(words).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Hears exactly that, and then the end.
fn expect_all(stream: &mut TcpStream, words: &[u8]) {
    expect(stream, words);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

/// Waits until the connection is broken, whether or not there is anything to read.
fn expect_break(stream: &TcpStream) {
    const TIMEOUT: u16 = LONG.as_millis() as u16;
    let mut list = [PollFd::new(stream.as_fd(), PollFlags::POLLERR)];
    assert!(poll(&mut list, TIMEOUT).unwrap() > 0, "it hears of no reset");
}

fn one_after_the_other(first: &mut TcpStream, second: &mut TcpStream) {
    let answer = vec![b'x'; 100_000];
    say_and_end(first, b"question");
    expect_all(second, b"question");
    say_and_end(second, &answer);
    expect_all(first, &answer);
}

fn crosswise(client: &mut TcpStream, backend: &mut TcpStream) {
    say_and_end(client, b"to the backend");
    say_and_end(backend, b"to the client");
    expect_all(backend, b"to the backend");
    expect_all(client, b"to the client");
}

/// Sessions that end in each way; and waits until the relay has closed their sockets.
fn several_sessions(bench: &Bench) {
    for _ in 0..5 {
        for way in 0..5 {
            let [mut client, mut backend] = bench.pair();
            match way {
                0 => one_after_the_other(&mut client, &mut backend),
                1 => one_after_the_other(&mut backend, &mut client),
                2 => crosswise(&mut client, &mut backend),
                3 => {
                    reset(client);
                    expect_break(&backend);
                }
                _ => {
                    reset(backend);
                    expect_break(&client);
                }
            }
        }
    }
    eventually("all are closed", || sockets(&bench.relay) == bench.listeners);
}

#[test]
fn nothing_is_left_of_sessions_however_they_end() {
    everywhere(&[], |bench, way| {
        // What a worker keeps, such as pipes, it has after some of them.
        several_sessions(bench);
        let (before, memory) = (bench.relay.descriptors(), bench.relay.resident());
        let [mut client, mut backend] = bench.pair();
        client.write_all(b"hello").unwrap();
        expect(&mut backend, b"hello");
        // As many as `--clients` counts for each.
        let each = if way == "splice" { 6 } else { 2 };
        assert!(
            bench.relay.descriptors() <= before + each,
            "{} at work",
            bench.relay.descriptors()
        );
        drop((client, backend));
        (0..4).for_each(|_| several_sessions(bench));
        // Each thread of the pool has pipes of its own, once it has served somebody.
        let kept = if way == "splice" { 10 * 4 } else { 0 };
        eventually("no descriptor is left", || bench.relay.descriptors() <= before + kept);
        let grown = bench.relay.resident().saturating_sub(memory);
        assert!(grown < 256 << 10, "{grown} octets of memory are left");
    });
}

#[test]
fn a_reset_after_an_end_is_heard_by_the_other_side() {
    everywhere(&[], |bench, _| {
        for ends_first in 0..2 {
            for resets in 0..2 {
                let mut pair = bench.pair();
                say_and_end(&mut pair[ends_first], b"all");
                expect_all(&mut pair[1 - ends_first], b"all");
                let [client, backend] = pair;
                let (resetting, mut other) =
                    if resets == 0 { (client, backend) } else { (backend, client) };
                reset(resetting);
                if (ends_first, resets) == (1, 1) {
                    // Nothing is expected from a backend that has ended: a write has to find out.
                    eventually("the client is told", || other.write_all(b"?").is_err());
                } else if ends_first != resets {
                    let error = other.read(&mut [0]).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                } else {
                    expect_break(&other);
                }
            }
        }
    });
}

/// How often its threads have waited for something, and gone on (proc(5),
/// `voluntary_ctxt_switches`).
fn wakes(relay: &Server) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", relay.pid())).unwrap();
    let of = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    threads.map(|thread| of(thread.unwrap())).sum()
}

#[test]
fn what_the_kernel_relays_wakes_nobody_who_can_wait_for_the_end_alone() {
    const ROUNDS: u64 = 1_000;
    if let Some(missing) = packet::bpf::missing() {
        return eprintln!("SKIPPED: {missing}");
    }
    for model in ["epoll-level", "epoll-edge", "epoll-oneshot", "reactors", "uring"] {
        if !has(model) {
            continue;
        }
        let bench = Bench::new(model, "sockmap", &[]);
        let [mut client, mut backend] = bench.pair();
        let before = wakes(&bench.relay);
        for _ in 0..ROUNDS {
            client.write_all(b"question").unwrap();
            expect(&mut backend, b"question");
            backend.write_all(b"answer").unwrap();
            expect(&mut client, b"answer");
        }
        let wakes = wakes(&bench.relay) - before;
        // The clock wakes it ten times a second.
        assert!(wakes < ROUNDS, "{model}: {wakes} times in {} messages", 2 * ROUNDS);
        one_after_the_other(&mut client, &mut backend);
    }
}

/// Often, for it takes two ends that come while the kernel is being given the sockets.
#[test]
fn nothing_is_lost_where_ends_come_while_the_kernel_takes_over() {
    if let Some(missing) = packet::bpf::missing() {
        return eprintln!("SKIPPED: {missing}");
    }
    for model in ["thread", "epoll-level", "uring"].into_iter().filter(|model| has(model)) {
        println!("{model}");
        let bench = Bench::new(model, "sockmap", &[]);
        for _ in 0..2_000 {
            let [mut client, mut backend] = bench.pair();
            crosswise(&mut client, &mut backend);
        }
    }
}

#[test]
fn two_who_send_before_they_read_have_all_in_the_end() {
    let message = (0..8 << 20).map(|place| (place * 31 + place / 251) as u8).collect::<Vec<_>>();
    everywhere(&[], |bench, _| {
        let mut pair = bench.pair();
        thread::scope(|scope| {
            for mut writer in pair.each_ref().map(|stream| stream.try_clone().unwrap()) {
                let message = &message;
                scope.spawn(move || say_and_end(&mut writer, message));
            }
            // Both are stuck by then, or as far as they get.
            thread::sleep(Duration::from_millis(200));
            for reader in &mut pair {
                scope.spawn(|| expect_all(reader, &message));
            }
        });
    });
}

#[test]
fn who_is_silent_for_too_long_sees_a_reset_on_both_sides() {
    everywhere(&["--idle-timeout", "300ms"], |bench, _| {
        for mut stream in bench.pair() {
            // Less than it takes unless a flag says otherwise.
            stream.set_read_timeout(Some(LONG / 2)).unwrap();
            let error = stream.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_backend_that_does_not_read_for_too_long_is_given_up() {
    let all = vec![b'x'; 32 << 20];
    everywhere(&["--write-timeout", "300ms", "--idle-timeout", "1h"], |bench, _| {
        let [mut client, mut backend] = bench.pair();
        let cut = client.write_all(&all).and_then(|()| {
            client.shutdown(Shutdown::Write)?;
            client.read_exact(&mut [0])
        });
        assert!(cut.is_err());
        let cut = std::io::copy(&mut backend, &mut std::io::sink()).unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::ConnectionReset);
        // Nor does what was on its way there reach anybody else.
        for _ in 0..3 {
            let [mut client, mut backend] = bench.pair();
            crosswise(&mut client, &mut backend);
        }
    });
}

/// Each of them says something long before the time is over, and both together are there for much
/// longer than that.
#[test]
fn who_says_something_now_and_then_is_not_silent() {
    for model in models() {
        println!("{}", model.name);
        let benches = ways().map(|way| Bench::new(model.name, way, &["--idle-timeout", "800ms"]));
        let mut pairs = benches.map(|bench| (bench.pair(), bench)).collect::<Vec<_>>();
        for round in 0..6 {
            thread::sleep(Duration::from_millis(200));
            for (pair, _) in &mut pairs {
                let (speaker, listener) = (round % 2, 1 - round % 2);
                pair[speaker].write_all(b"still here").unwrap();
                expect(&mut pair[listener], b"still here");
            }
        }
    }
}
