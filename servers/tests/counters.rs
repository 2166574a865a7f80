//! The counters against a witness: strace(1) counts the same system calls from outside.
//!
//! What a ring is asked to do is no system call, so there the witness sees none of it: only that
//! the ring was entered.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::process::Command;

use process::scripted::{GET, OK, Scripted, proxy, read_answer};
use process::{SERVERS, Server, eventually, expect, models};
use serde_json::Value;
use servers::models::{Family, Model};

const ROUNDS: u64 = 500;
/// The keeper's part: it ticks ten times a second, and each tick is a wake-up.
const SPARE: u64 = 250;

/// What waits are made of, and reads and writes where they are system calls.
const WAITS: &[&str] = &[
    "epoll_wait",
    "epoll_pwait",
    "select",
    "pselect6",
    "poll",
    "epoll_ctl",
    "timerfd_settime",
    "read",
    "io_uring_enter",
];
const READS: &[&str] = &["recvfrom"];
const WRITES: &[&str] = &["sendto"];

fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").output().is_ok();
    if !has {
        eprintln!("SKIPPED: strace is not installed");
    }
    has
}

/// What a server counts while `clients` talk to it, and what strace sees.
fn counted(model: &Model, clients: impl FnOnce(&Server)) -> (Value, HashMap<String, u64>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calls");
    // With -D the server is our child, and strace is beside it.
    let traced = ["strace", "-D", "-f", "-c", "-o", file.to_str().unwrap(), SERVERS];
    let mut server = Server::start_by(&traced, model.name, "echo", &["--workers", "1"]);
    clients(&server);
    let counters = server.stop();
    let mut table = String::new();
    eventually("strace has written its table", || {
        table = fs::read_to_string(&file).unwrap();
        table.contains("total")
    });
    (counters, calls(&table))
}

#[test]
fn agree_with_strace_for_every_model() {
    if !has_strace() {
        return;
    }
    for model in models() {
        let (counters, calls) = counted(model, |server| {
            let mut client = server.connect();
            for _ in 0..ROUNDS {
                client.write_all(b"hello").unwrap();
                expect(&mut client, b"hello");
            }
        });
        compare(model, &counters, &calls);
    }
}

/// Each client is put into what is waited for, and taken out: that is a call of the kernel in some
/// models, and none in others.
#[test]
fn agree_with_strace_about_clients_who_come_and_go() {
    if !has_strace() {
        return;
    }
    for model in models() {
        let (counters, calls) = counted(model, |server| {
            for _ in 0..ROUNDS {
                let mut client = server.connect();
                client.write_all(b"hello").unwrap();
                expect(&mut client, b"hello");
            }
        });
        let count = |kind: &str| counters[kind].as_u64().unwrap();
        // A wait of the crate asks twice for descriptors of its own.
        let of_waits = if model.name == "portable" { 2 * count("waits") } else { 0 };
        let seen = calls.get("epoll_ctl").copied().unwrap_or(0);
        let controls = count("controls") + of_waits;
        let name = model.name;
        assert!(seen.abs_diff(controls) < SPARE, "{name}: {controls}, and strace sees {seen}");
    }
}

/// Nothing is wanted from a client while a backend works for it. It need not be taken out for that,
/// and put in again, unless it says something all the same.
#[test]
fn a_request_to_a_proxy_changes_nothing_that_is_waited_for_level_triggered() {
    let backend = Scripted::answering(OK);
    for model in ["epoll-level", "reactors", "portable"] {
        let mut proxy = proxy(model, &[&backend.address], &[]);
        let mut client = proxy.connect();
        for _ in 0..ROUNDS {
            client.write_all(GET).unwrap();
            assert_eq!(read_answer(&mut client), (200, "ok".into()));
        }
        let counters = proxy.stop();
        assert!(counters["controls"].as_u64() < Some(ROUNDS / 2), "{model}: {counters}");
    }
}

fn compare(model: &Model, counters: &Value, calls: &HashMap<String, u64>) {
    let count = |kind: &str| counters[kind].as_u64().unwrap();
    let (reads, writes) = match model.family {
        Family::Blocking | Family::Readiness(_) => (count("reads"), count("writes")),
        Family::Completion => {
            assert!(count("reads") >= ROUNDS && count("writes") >= ROUNDS, "{counters}");
            let all = count("reads") + count("writes") + count("accepts");
            assert!(all - count("ring_requests") < SPARE, "the ring makes them: {counters}");
            (0, 0)
        }
    };
    let waits = count("wait_calls") + count("controls");
    for (kind, names, counted) in
        [("reads", READS, reads), ("writes", WRITES, writes), ("waits", WAITS, waits)]
    {
        let seen = names.iter().filter_map(|name| calls.get(*name)).sum::<u64>();
        assert!(
            seen.abs_diff(counted) < SPARE,
            "{}: {kind} are {counted}, and strace sees {seen}",
            model.name
        );
    }
}

/// How often each system call was made, from the table of `strace -c`.
fn calls(table: &str) -> HashMap<String, u64> {
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|columns| columns.len() >= 5)
        .filter_map(|columns| Some((columns.last()?.to_string(), columns[3].parse().ok()?)))
        .collect()
}
