//! Workers with descriptor tables of their own, under a limit that one table cannot live with.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use process::{SERVERS, Server, eventually, expect, read_to_close};

const WORKERS: usize = 8;
const CLIENTS: usize = 1_000;
/// Too few for all clients, and more than enough for what chance deals to one worker.
const LIMITED: [&str; 4] = ["prlimit", "--nofile=300", "--", SERVERS];
const OWN: [&str; 4] = ["--workers", "8", "--descriptors", "own"];

fn apart(app: &str, flags: &[&str]) -> Server {
    Server::start_by(&LIMITED, "reactors", app, &[&OWN[..], flags].concat())
}

fn crowd(server: &Server) -> Vec<TcpStream> {
    (0..CLIENTS).map(|_| server.connect()).collect()
}

/// What the descriptors in each thread's table are: `socket:[4711]`, `anon_inode:[eventpoll]`.
fn tables(server: &Server) -> Vec<Vec<PathBuf>> {
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let table = |thread: fs::DirEntry| {
        let entries = fs::read_dir(thread.path().join("fd")).unwrap();
        // One that is closed between the two calls does not count.
        entries.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect()
    };
    threads.map(|thread| table(thread.unwrap())).collect()
}

fn kind(table: &[PathBuf], kind: &str) -> Vec<PathBuf> {
    table.iter().filter(|what| what.to_str().unwrap().starts_with(kind)).cloned().collect()
}

fn sockets(server: &Server) -> Vec<Vec<PathBuf>> {
    tables(server).iter().map(|table| kind(table, "socket:")).collect()
}

#[test]
fn serve_more_clients_at_once_than_one_table_holds() {
    let mut server = apart("echo", &["--clients", "1000"]);
    let mut clients = crowd(&server);
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        expect(client, b"hello");
    }
    let sockets = sockets(&server);
    assert_eq!(sockets.len(), WORKERS);
    assert_eq!(sockets.iter().flatten().collect::<HashSet<_>>().len(), CLIENTS + WORKERS);
    assert_eq!(sockets.concat().len(), CLIENTS + WORKERS, "each is in one table only");
    let counters = server.stop();
    assert_eq!((&counters["accepted"], &counters["workers"]), (&CLIENTS.into(), &WORKERS.into()));
    let (least, most) = (&counters["accepted_least"], &counters["accepted_most"]);
    assert!((1..=125).contains(&least.as_u64().unwrap()), "{counters}");
    assert!((125..300).contains(&most.as_u64().unwrap()), "{counters}");
    clients.iter_mut().for_each(|client| assert_eq!(read_to_close(client), ""));
}

/// The counterpart: the same command without a table for each worker.
#[test]
fn a_shared_table_keeps_most_of_them_waiting() {
    let server = Server::start_by(&LIMITED, "reactors", "http", &["--workers", "8"]);
    let mut first = server.connect();
    let stats = b"GET /stats HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    first.write_all(&stats[..4]).unwrap();
    let _clients = crowd(&server);
    eventually("the table is full", || server.descriptors() == 300);
    first.write_all(&stats[4..]).unwrap();
    let answer = read_to_close(&mut first);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let stats = serde_json::from_str::<serde_json::Value>(body).unwrap();
    assert!((200..300).contains(&stats["totals"]["open"].as_u64().unwrap()), "{stats}");
}

#[test]
fn a_worker_holds_nothing_that_another_opened() {
    let server = apart("echo", &[]);
    eventually("every worker has a listener, and nobody another's", || {
        let sockets = sockets(&server);
        sockets.len() == WORKERS && sockets.iter().all(|sockets| sockets.len() == 1)
    });
    assert_eq!(sockets(&server).into_iter().flatten().collect::<HashSet<_>>().len(), WORKERS);
    eventually("every worker has its epoll beside the keeper's", || {
        tables(&server).iter().all(|table| kind(table, "anon_inode:[eventpoll]").len() == 2)
    });
}

/// Clients that are in the middle of a body, and have the head of their answer.
fn busy(server: &Server) -> Vec<TcpStream> {
    let begin = |_| {
        let mut client = server.connect();
        client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc").unwrap();
        expect(&mut client, b"HTTP/1.1 200 OK");
        client
    };
    (0..100).map(begin).collect()
}

/// Clients that have been served, and wait.
fn idle(server: &Server) -> Vec<TcpStream> {
    let begin = |_| {
        let mut client = server.connect();
        client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").unwrap();
        expect(&mut client, b"HTTP/1.1 200 OK");
        client
    };
    (0..100).map(begin).collect()
}

#[test]
fn a_stop_lets_clients_of_every_worker_finish() {
    let mut server = apart("http", &[]);
    let (mut busy, mut idle) = (busy(&server), idle(&server));
    server.signal(Signal::SIGTERM);
    idle.iter_mut().map(read_to_close).for_each(drop);
    assert!(server.runs(), "it waits for the rest of the bodies");
    for client in &mut busy {
        client.write_all(b"def").unwrap();
        assert!(read_to_close(client).ends_with("abcdef"));
    }
    assert!(server.wait().success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = apart("http", &["--drain-timeout", "1h", "--body-timeout", "1h"]);
    let (_busy, mut idle) = (busy(&server), idle(&server));
    server.signal(Signal::SIGTERM);
    idle.iter_mut().map(read_to_close).for_each(drop);
    assert!(server.runs(), "it has heard the first one, and waits");
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

/// strace(1) makes unshare(2) fail, as a container's filter of system calls may.
#[test]
fn a_worker_that_gets_no_table_stops_the_server_with_words() {
    if Command::new("strace").arg("-V").output().is_err() {
        return eprintln!("SKIPPED: strace is not installed");
    }
    let output = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "-e", "inject=unshare:error=EPERM", SERVERS])
        .args(["run", "--model", "reactors", "--app", "echo", "--listen", "127.0.0.1:0"])
        .args(OWN)
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("reactors gave up") && words.contains("unshare(2)"), "{words}");
}

#[test]
fn models_whose_workers_share_descriptors_refuse() {
    let output = Command::new(SERVERS)
        .args(["run", "--model", "epoll-edge", "--app", "echo", "--listen", "127.0.0.1:0"])
        .args(["--descriptors", "own"])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("epoll-edge") && words.contains("--model reactors"), "{words}");
}

#[test]
fn a_crowd_for_which_there_is_no_room_is_refused_before_the_start() {
    let output = Command::new(LIMITED[0])
        .args(&LIMITED[1..])
        .args(["run", "--model", "reactors", "--app", "echo", "--listen", "127.0.0.1:0"])
        .args(["--workers", "8", "--clients", "1000"])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(output.stdout.is_empty(), "nothing is promised");
    assert!(words.contains("limit is 300") && words.contains("--descriptors own"), "{words}");
}
