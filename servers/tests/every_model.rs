//! One suite, once for each model of the table.
//!
//! What a model cannot do by its nature (serve a second client while the first one stays) is told
//! by its row, and the tests take it from there.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use process::{SERVERS, Server, eventually, expect, read_to_close, reset};
use servers::models::{AtOnce, MODELS, model};

/// Makes each function a test of each model.
macro_rules! every_model {
    ($tests:tt) => {
        every_model! { @ [iterative thread pool select select_wide select_sharded poll epoll_level
                          epoll_edge epoll_oneshot reactors portable uring] $tests }
    };
    (@ [$($model:ident)*] $tests:tt) => {
        $(every_model! { @@ $model $tests })*

        #[test]
        fn no_model_is_left_out() {
            let tested = [$(stringify!($model).replace('_', "-")),*];
            assert!(MODELS.iter().map(|model| model.name).eq(tested.iter().map(String::as_str)));
        }
    };
    (@@ $model:ident { $($test:ident)* }) => {
        mod $model {
            $(#[test] fn $test() {
                let name = stringify!($model).replace('_', "-");
                if super::process::has(&name) {
                    super::$test(&name);
                }
            })*
        }
    };
}

every_model! {{
    echoes_two_megabytes_and_the_half_close
    answers_a_pipeline_in_order
    answers_a_request_that_comes_octet_by_octet
    bears_a_peer_that_never_reads
    bears_resets_in_the_middle
    serves_500_connections
    outlives_having_no_descriptors
    finishes_what_was_begun_when_told_to_stop
    leaves_at_the_second_signal
    gives_up_on_slow_heads_and_idle_clients
    says_why_before_it_closes_on_a_sender
    says_why_before_the_body_comes
    sends_files_whole
    keeps_no_file_open_for_an_idle_client
    counts_what_it_does
}}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Whether a client is served while `others` stay connected.
fn serves_beside(name: &str, others: usize) -> bool {
    match model(name).unwrap().at_once {
        AtOnce::One => others == 0,
        AtOnce::Workers => others < 10,
        AtOnce::Descriptors(_) | AtOnce::Unlimited => true,
    }
}

/// Octets that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

fn read_reply(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8_lossy(&body)
}

fn echoes_two_megabytes_and_the_half_close(model: &str) {
    let server = Server::start(model, "echo", &[]);
    let mut stream = server.connect();
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
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the server closes too");
    });
}

fn answers_a_pipeline_in_order(model: &str) {
    let server = Server::start(model, "http", &[]);
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut requests = String::new();
            for number in 0..2_000 {
                requests += &format!("GET /bytes/{number} HTTP/1.1\r\nHost: h\r\n\r\n");
                requests += "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
            }
            writer.write_all(requests.as_bytes()).unwrap();
        });
        for number in 0..2_000 {
            assert!(read_reply(&mut stream).ends_with(&format!("\r\n\r\n{}", "x".repeat(number))));
            assert!(read_reply(&mut stream).ends_with("\r\n\r\nabc"));
        }
    });
}

fn answers_a_request_that_comes_octet_by_octet(model: &str) {
    let server = Server::start(model, "http", &[]);
    let mut stream = server.connect();
    for octet in GET {
        stream.write_all(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(read_reply(&mut stream).ends_with("Hello, world!\n"));
}

fn bears_a_peer_that_never_reads(model: &str) {
    let server = Server::start(model, "http", &[]);
    let before = server.resident();
    let mut silent = server.connect();
    for _ in 0..64 {
        silent.write_all(b"GET /bytes/10000000 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    }
    if serves_beside(model, 1) {
        for _ in 0..100 {
            assert_eq!(server.get("/"), "Hello, world!\n");
        }
        assert!(server.resident() < before + 4_000_000, "what is not read is not kept");
    }
    reset(silent);
    assert_eq!(server.get("/"), "Hello, world!\n");
}

fn bears_resets_in_the_middle(model: &str) {
    let server = Server::start(model, "http", &[]);
    assert_eq!(server.stats()["open"], 1);
    let descriptors = server.descriptors();
    for request in [
        &GET[..20],
        GET,
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
        b"GET /bytes/10000000 HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        for _ in 0..25 {
            let mut stream = server.connect();
            stream.write_all(request).unwrap();
            reset(stream);
        }
    }
    eventually("all are gone but the one who asks", || server.stats()["open"] == 1);
    eventually("no descriptor is left behind", || server.descriptors() <= descriptors);
}

fn serves_500_connections(model: &str) {
    let server = Server::start(model, "echo", &[]);
    let mut streams = (0..500).map(|_| server.connect()).collect::<Vec<_>>();
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.write_all(format!("client {number}").as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(read_to_close(stream), format!("client {number}"));
    }
}

fn outlives_having_no_descriptors(model: &str) {
    let limited = ["prlimit", "--nofile=32", "--", SERVERS];
    let mut server = Server::start_by(&limited, model, "http", &[]);
    let streams = (0..60).map(|_| server.connect()).collect::<Vec<_>>();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.runs());
    drop(streams);
    for _ in 0..5 {
        assert_eq!(server.get("/"), "Hello, world!\n");
    }
    let accepts = server.stop()["accepts"].as_u64().unwrap();
    // A server that tried again at once would get to that in a hundredth of a second.
    assert!(accepts < 2_000, "{accepts} accepts");
}

fn finishes_what_was_begun_when_told_to_stop(model: &str) {
    let mut server = Server::start(model, "http", &[]);
    let idle = serves_beside(model, 1).then(|| {
        let mut idle = server.connect();
        idle.write_all(GET).unwrap();
        assert!(read_reply(&mut idle).ends_with("Hello, world!\n"));
        idle
    });
    let mut busy = server.connect();
    busy.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    let mut first = [0; 15];
    busy.read_exact(&mut first).unwrap();
    server.signal(Signal::SIGTERM);
    if let Some(mut idle) = idle {
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle client is let go");
    }
    assert!(server.runs(), "it waits for the rest of the body");
    busy.write_all(b"def").unwrap();
    assert!(read_to_close(&mut busy).ends_with("abcdef"));
    assert!(server.wait().success());
}

fn leaves_at_the_second_signal(model: &str) {
    let mut server = Server::start(model, "http", &["--drain-timeout", "1h"]);
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    stream.read_exact(&mut [0; 15]).unwrap();
    server.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.runs());
    server.signal(Signal::SIGINT);
    assert!(server.wait().success());
}

fn gives_up_on_slow_heads_and_idle_clients(model: &str) {
    let flags = ["--head-timeout", "300ms", "--idle-timeout", "300ms", "--write-timeout", "300ms"];
    let server = Server::start(model, "http", &flags);
    let mut slow = server.connect();
    slow.write_all(&GET[..10]).unwrap();
    assert!(read_to_close(&mut slow).starts_with("HTTP/1.1 408 "));
    assert_eq!(read_to_close(&mut server.connect()), "", "an idle client is told nothing");
    let mut stuck = server.connect();
    stuck.write_all(b"GET /bytes/100000000 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    eventually("the one who reads nothing is let go", || {
        server.stats()["expired"].as_u64() >= Some(3)
    });
}

fn says_why_before_it_closes_on_a_sender(model: &str) {
    let server = Server::start(model, "http", &["--body-max", "1000"]);
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A reset would take the answer away from us while we still send.
            let _ =
                writer.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
            let _ = writer.write_all(&pattern(100_000));
            let _ = writer.shutdown(Shutdown::Write);
        });
        let answer = read_to_close(&mut stream);
        assert!(
            answer.starts_with("HTTP/1.1 413 ") && answer.contains("Connection: close"),
            "{answer}"
        );
    });
}

fn sends_files_whole(model: &str) {
    let root = tempfile::tempdir().unwrap();
    let content = "0123456789abcdef".repeat(200_000);
    std::fs::write(root.path().join("big.txt"), &content).unwrap();
    let server = Server::start(model, "http", &["--root", root.path().to_str().unwrap()]);
    for _ in 0..3 {
        assert!(server.get("/files/big.txt") == content);
    }
    let out =
        server.ask("GET /files/../../etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(out.starts_with("HTTP/1.1 404 "), "{out}");
}

fn keeps_no_file_open_for_an_idle_client(model: &str) {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("full.txt"), "content").unwrap();
    std::fs::write(root.path().join("empty.txt"), "").unwrap();
    let server = Server::start(model, "http", &["--root", root.path().to_str().unwrap()]);
    let mut stream = server.connect();
    stream.write_all(GET).unwrap();
    read_reply(&mut stream);
    let descriptors = server.descriptors();
    for (method, name) in [("GET", "full"), ("GET", "empty"), ("HEAD", "full"), ("GET", "full")] {
        let request = format!("{method} /files/{name}.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        assert!(process::scripted::read_head(&mut stream).contains(" 200 "));
        let content = if (method, name) == ("GET", "full") { "content" } else { "" };
        expect(&mut stream, content.as_bytes());
        eventually("the file is closed", || server.descriptors() <= descriptors);
    }
}

fn counts_what_it_does(model: &str) {
    let mut server = Server::start(model, "http", &[]);
    for _ in 0..10 {
        server.get("/");
    }
    let counters = server.stop();
    for (name, least) in
        [("accepted", 10), ("closed", 10), ("answered", 10), ("reads", 10), ("writes", 10)]
    {
        assert!(counters[name].as_u64().unwrap() >= least, "{name} in {counters}");
    }
    assert_eq!((&counters["accepted"], &counters["open"]), (&counters["closed"], &0.into()));
}

/// The refusal of a head alone, before any of the body has come.
fn says_why_before_the_body_comes(model: &str) {
    let server = Server::start(model, "http", &["--body-max", "1000"]);
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    // The server has shut its direction down and drops this; a reset would swallow the answer.
    stream.write_all(&pattern(100_000)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(read_to_close(&mut stream).starts_with("HTTP/1.1 413 "));
}
