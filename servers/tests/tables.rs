//! Copies with descriptor tables of their own, under a limit that one table cannot live with.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use servers::models::AtOnce;

use process::{SERVERS, Server, eventually, expect, models, read_to_close};

const TABLES: usize = 8;
const CLIENTS: usize = 1_000;
/// Too few for all clients, and more than enough for what chance deals to one table.
const LIMITED: [&str; 4] = ["prlimit", "--nofile=300", "--", SERVERS];
const OWN: [&str; 4] = ["--tables", "8", "--workers", "1"];

fn apart(app: &str, flags: &[&str]) -> Server {
    Server::start_by(&LIMITED, "reactors", app, &[&OWN[..], flags].concat())
}

/// Every model that serves as many clients as there are descriptors.
fn scalable() -> impl Iterator<Item = &'static str> {
    models().filter(|model| model.at_once == AtOnce::Unlimited).map(|model| model.name)
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
fn every_model_serves_more_clients_at_once_than_one_table_holds() {
    for model in scalable() {
        let flags = ["--tables", "auto", "--workers", "1", "--clients", "1000"];
        let mut server = Server::start_by(&LIMITED, model, "echo", &flags);
        let mut clients = crowd(&server);
        for client in &mut clients {
            client.write_all(b"hello").unwrap();
            expect(client, b"hello");
        }
        let counters = server.stop();
        assert_eq!(counters["accepted"], CLIENTS, "{model}: {counters}");
        assert_eq!(counters["refused"], 0, "{model}: {counters}");
        assert!((5..=8).contains(&counters["tables"].as_u64().unwrap()), "{model}: {counters}");
        clients.iter_mut().for_each(|client| assert_eq!(read_to_close(client), "", "{model}"));
    }
}

#[test]
fn each_client_is_in_one_table_and_no_table_is_left_out() {
    let mut server = apart("echo", &["--clients", "1000"]);
    let mut clients = crowd(&server);
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        expect(client, b"hello");
    }
    let sockets = sockets(&server);
    assert_eq!(sockets.len(), TABLES + 1, "a thread for each, and the one that keeps the time");
    assert_eq!(sockets.iter().flatten().collect::<HashSet<_>>().len(), CLIENTS + TABLES);
    assert_eq!(sockets.concat().len(), CLIENTS + TABLES, "each is in one table only");
    let counters = server.stop();
    assert_eq!((&counters["accepted"], &counters["tables"]), (&CLIENTS.into(), &TABLES.into()));
    let (least, most) = (&counters["accepted_least"], &counters["accepted_most"]);
    assert!((1..=125).contains(&least.as_u64().unwrap()), "{counters}");
    assert!((125..300).contains(&most.as_u64().unwrap()), "{counters}");
}

#[test]
fn select_in_several_tables_serves_clients_far_beyond_fd_setsize() {
    let mut server = Server::start("select-sharded", "echo", &["--clients", "3000"]);
    let mut clients = (0..3_000).map(|_| server.connect()).collect::<Vec<_>>();
    for client in &mut clients {
        client.write_all(b"hello").unwrap();
        expect(client, b"hello");
    }
    let counters = server.stop();
    assert_eq!((&counters["accepted"], &counters["refused"]), (&3_000.into(), &0.into()));
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
fn a_copy_holds_nothing_that_another_opened() {
    let server = apart("echo", &[]);
    eventually("every copy has a listener, nobody another's, and their starter none", || {
        let mut sockets = sockets(&server);
        sockets.sort();
        sockets.len() == TABLES + 1
            && sockets[0].is_empty()
            && sockets[1..].iter().all(|sockets| sockets.len() == 1)
    });
    assert_eq!(sockets(&server).into_iter().flatten().collect::<HashSet<_>>().len(), TABLES);
    eventually("every copy has an epoll and its keeper's, and not the first keeper's", || {
        let tables = tables(&server);
        let epolls = tables.iter().map(|table| kind(table, "anon_inode:[eventpoll]").len());
        epolls.filter(|&epolls| epolls == 2).count() == TABLES
    });
}

#[test]
fn a_relay_has_both_sockets_of_a_client_in_the_table_of_one_copy_only() {
    const CLIENTS: usize = 100;
    let echo = Server::start("epoll-level", "echo", &[]);
    let backend = echo.address.to_string();
    for way in ["copy", "splice", "sockmap"] {
        if way == "sockmap" && packet::bpf::missing().is_some() {
            continue;
        }
        let relay = apart("relay", &["--relay-by", way, "--backend", &backend]);
        let mut clients = (0..CLIENTS).map(|_| relay.connect()).collect::<Vec<_>>();
        for client in &mut clients {
            client.write_all(b"hello").unwrap();
            expect(client, b"hello");
        }
        let all = sockets(&relay).concat();
        assert_eq!(all.len(), 2 * CLIENTS + TABLES, "{way}");
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{way}");
        drop(clients);
        eventually("only listeners are left", || sockets(&relay).concat().len() == TABLES);
    }
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
fn a_stop_lets_clients_of_every_copy_finish() {
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
fn a_copy_that_gets_no_table_stops_the_server_with_words() {
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
fn so_many_tables_as_clients_need_takes_a_number_of_clients() {
    let output = Command::new(SERVERS)
        .args(["run", "--model", "poll", "--app", "echo", "--listen", "127.0.0.1:0"])
        .args(["--tables", "auto"])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("how many clients?"), "{words}");
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
    assert!(words.contains("limit is 300") && words.contains("--tables 6"), "{words}");
}
