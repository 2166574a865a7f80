//! What happens at the limits: FD_SETSIZE, threads, the queue of the pool.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use process::{SERVERS, Server, eventually, expect};
use servers::tables;

/// Sends a word and says whether it comes back; if not, the server has closed.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut word = [0; 5];
    stream.write_all(b"hello").is_ok() && stream.read_exact(&mut word).is_ok() && &word == b"hello"
}

#[test]
fn select_serves_whom_it_can_hold_and_refuses_the_rest() {
    let mut server = Server::start("select", "echo", &[]);
    let mut clients = (0..1_100).map(|_| server.connect()).collect::<Vec<_>>();
    let served = clients.iter_mut().map(|client| u64::from(is_served(client))).sum::<u64>();
    // Some descriptors below FD_SETSIZE are not sockets.
    assert!((1_000..1_024).contains(&served), "{served} of 1,100 are served");
    assert!(server.runs());
    drop(clients);
    eventually("there is room again", || is_served(&mut server.connect()));
    let counters = server.stop();
    assert_eq!(counters["refused"], 1_100 - served, "{counters}");
}

/// FD_SETSIZE is not the kernel's: with sets of its own, the same call serves them all.
#[test]
fn select_wide_serves_1500_clients_where_select_turns_some_away() {
    assert!(tables::raise_limit() >= 4_096, "this test needs so many: ulimit -Hn 4096");
    for (model, all) in [("select", false), ("select-wide", true)] {
        let mut server = Server::start(model, "echo", &[]);
        let mut clients = (0..1_500).map(|_| server.connect()).collect::<Vec<_>>();
        let served = clients.iter_mut().map(|client| u64::from(is_served(client))).sum::<u64>();
        assert_eq!(served == 1_500, all, "{model} serves {served} of 1,500");
        drop(clients);
        let counters = server.stop();
        assert_eq!(counters["accepted"], served, "{counters}");
        assert_eq!(counters["refused"], 1_500 - served, "{counters}");
    }
}

#[test]
fn poll_serves_clients_beyond_fd_setsize() {
    let server = Server::start("poll", "echo", &[]);
    let mut clients = (0..1_100).map(|_| server.connect()).collect::<Vec<_>>();
    assert!(clients.iter_mut().all(is_served));
}

/// A thread that cannot be made costs one client its answer, and the server nothing.
#[test]
fn a_client_for_whom_there_is_no_thread_is_turned_away() {
    let limited = ["prlimit", "--as=1000000000", "--", SERVERS];
    let stacks = ["--stack", "100000000"];
    let mut server = Server::start_by(&limited, "thread", "echo", &stacks);
    let mut clients = (0..30).map(|_| server.connect()).collect::<Vec<_>>();
    let served = clients.iter_mut().map(|client| u64::from(is_served(client))).sum::<u64>();
    assert!((1..10).contains(&served), "a gigabyte of address space is enough for {served} stacks");
    drop(clients);
    eventually("there is room again", || is_served(&mut server.connect()));
    let counters = server.stop();
    assert!(counters["refused"].as_u64() >= Some(30 - served), "{counters}");
}

#[test]
fn a_client_for_whom_there_is_no_thread_is_told_so_in_http() {
    let limited = ["prlimit", "--as=1000000000", "--", SERVERS];
    let mut server = Server::start_by(&limited, "thread", "http", &["--stack", "100000000"]);
    let _taken = (0..30).map(|_| server.connect()).collect::<Vec<_>>();
    let answer = server.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    let counters = server.stop();
    assert_eq!(counters["refused"], counters["refused_no_thread"], "{counters}");
    assert_eq!(counters["spawn_errno"], nix::errno::Errno::EAGAIN as i32, "{counters}");
}

/// How many mappings 100 clients of the thread model take, each.
fn mappings_each(by: &[&str]) -> usize {
    let server = Server::start_by(by, "thread", "echo", &[]);
    let mappings = || {
        let text = std::fs::read_to_string(format!("/proc/{}/maps", server.pid()));
        text.unwrap().lines().count()
    };
    // The first threads bring heaps of the C library with them.
    let mut clients = (0..200).map(|_| server.connect()).collect::<Vec<_>>();
    assert!(clients.iter_mut().all(is_served));
    let before = mappings();
    let mut more = (0..100).map(|_| server.connect()).collect::<Vec<_>>();
    assert!(more.iter_mut().all(is_served));
    (mappings() - before + 50) / 100
}

#[test]
fn a_thread_takes_half_the_mappings_without_a_handler_of_stack_overflow() {
    let without = ["env", "--ignore-signal=SEGV", "--ignore-signal=BUS", SERVERS];
    let (with, without) = (mappings_each(&[SERVERS]), mappings_each(&without));
    assert_eq!(with, 2 * without, "with, and without");
}

#[test]
fn the_pool_serves_as_many_as_it_has_threads_and_the_others_later() {
    let server = Server::start("pool", "echo", &["--workers", "3"]);
    let mut served = (0..3).map(|_| server.connect()).collect::<Vec<_>>();
    assert!(served.iter_mut().all(is_served));
    let mut waiting = server.connect();
    waiting.write_all(b"later").unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(waiting.read(&mut [0]).is_err(), "all threads are taken");
    waiting.set_read_timeout(Some(process::LONG)).unwrap();
    served[0].shutdown(Shutdown::Both).unwrap();
    expect(&mut waiting, b"later");
}

/// The acceptor deals connections out in turn, so no worker ever has had two more than another.
#[test]
fn epoll_edge_deals_connections_out_evenly() {
    let server = Server::start("epoll-edge", "http", &["--workers", "4"]);
    let _clients = (0..39).map(|_| server.connect()).collect::<Vec<_>>();
    let mut workers = Vec::new();
    eventually("all have arrived", || {
        let stats = server.get("/stats");
        let stats = serde_json::from_str::<serde_json::Value>(&stats).unwrap();
        workers = stats["workers"].as_array().unwrap().clone();
        workers.iter().map(|worker| worker["open"].as_u64().unwrap()).sum::<u64>() == 40
    });
    let accepted = workers.iter().map(|worker| worker["accepted"].as_u64().unwrap());
    let (least, most) = (accepted.clone().min(), accepted.max());
    assert!(least >= Some(10) && most <= least.map(|least| least + 1), "{workers:?}");
}

/// A worker's thread that cannot be made ends the server at its start, in words.
#[test]
fn workers_for_whom_there_are_no_threads_are_an_error() {
    let stacks = ["env", "RUST_MIN_STACK=100000000"];
    let limited = ["prlimit", "--as=1000000000", "--", SERVERS];
    for model in ["pool", "epoll-edge", "reactors", "uring"] {
        let by = [&stacks[..], &limited].concat();
        let flags = ["--workers", "30", "--stack", "100000000"];
        let mut server = Server::start_by(&by, model, "echo", &flags);
        assert_eq!(server.wait().code(), Some(1), "{model}");
    }
}

/// So do descriptors that whoever starts the server has left open, where they take all bits.
#[test]
fn select_without_a_bit_for_its_own_descriptors_is_an_error() {
    assert!(tables::raise_limit() >= 4_096, "this test needs so many: ulimit -Hn 4096");
    let opened = "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3
        for ((i = 0; i < 1100; i++)); do exec {fd}<&3; done
        exec \"$@\"";
    let by = ["bash", "-c", opened, "bash", SERVERS];
    for model in ["select", "select-sharded"] {
        let mut server = Server::start_by(&by, model, "echo", &[]);
        assert_eq!(server.wait().code(), Some(1), "{model}");
    }
    let server = Server::start_by(&by, "select-wide", "echo", &[]);
    assert!(is_served(&mut server.connect()));
}

/// So do buffers for which there is no memory.
#[test]
fn a_ring_whose_buffers_do_not_fit_into_memory_is_an_error() {
    if process::has("uring") {
        let limited = ["prlimit", "--as=1000000000", "--", SERVERS];
        let buffers = ["--workers", "1", "--buffer", "16777216"];
        let mut server = Server::start_by(&limited, "uring", "echo", &buffers);
        assert_eq!(server.wait().code(), Some(1));
    }
}

/// A server that has no descriptors left says so, and nobody hears it.
#[test]
fn a_complaint_that_nobody_reads_ends_no_server() {
    let unheard = ["bash", "-c", "exec \"$@\" 2> >(exit)", "bash"];
    let by = [&unheard[..], &["prlimit", "--nofile=32", "--", SERVERS]].concat();
    for model in process::models() {
        let mut server = Server::start_by(&by, model.name, "http", &[]);
        let clients = (0..60).map(|_| server.connect()).collect::<Vec<_>>();
        std::thread::sleep(Duration::from_millis(300));
        assert!(server.runs(), "{}", model.name);
        drop(clients);
        assert_eq!(server.get("/"), "Hello, world!\n", "{}", model.name);
    }
}
