//! Connections to backends that nobody uses now: whether a proxy lets them go when they are of no
//! use.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use nix::sys::signal::Signal;
use process::scripted::{GET, OK, Scripted, ask, everywhere, proxy, read_answer, read_head};
use process::{Server, eventually, has};
use tempfile::NamedTempFile;

/// Longer than a test: nothing is let go for its age.
const FOR_LONG: [&str; 2] = ["--link-idle", "1h"];

/// A backend that begins to answer when so many requests have come, each over a connection of its
/// own.
fn answering_together(count: usize) -> Scripted {
    let all = Barrier::new(count);
    Scripted::new(move |mut stream, _| {
        let mut first = true;
        while !read_head(&mut stream).is_empty() {
            if std::mem::take(&mut first) {
                all.wait();
            }
            stream.write_all(OK).unwrap();
        }
    })
}

/// So many requests at once, over connections that are closed then.
fn ask_together(proxy: &Server, count: usize) {
    let mut clients = (0..count).map(|_| proxy.connect()).collect::<Vec<TcpStream>>();
    clients.iter_mut().for_each(|client| client.write_all(GET).unwrap());
    clients.iter_mut().for_each(|client| assert_eq!(read_answer(client), (200, "ok".into())));
}

/// The connections to `backend` that the proxy has open, in whatever state (proc(5),
/// /proc/net/tcp).
fn links(proxy: &Server, backend: &Scripted) -> usize {
    let port = backend.address.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let peer = format!(":{port:04X}");
    let open = proxy.sockets();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let is_link = |row: &Vec<&str>| row[2].ends_with(&peer) && open.iter().any(|one| one == row[9]);
    rows.skip(1).filter(is_link).count()
}

fn await_links(proxy: &Server, backend: &Scripted, expected: usize, why: &str) {
    eventually(why, || links(proxy, backend) == expected);
}

#[test]
fn those_to_a_backend_that_has_been_replaced_are_closed() {
    const CLIENTS: usize = 32;
    for model in ["thread", "epoll-level", "epoll-oneshot", "reactors", "uring"] {
        if !has(model) {
            continue;
        }
        println!("{model}");
        let (one, two) = (answering_together(CLIENTS), Scripted::answering(OK));
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, &one.address).unwrap();
        let named = ["--backends", file.path().to_str().unwrap()];
        let proxy = proxy(model, &[], &[FOR_LONG, named].concat());
        ask_together(&proxy, CLIENTS);
        await_links(&proxy, &one, CLIENTS, "the links are kept");
        fs::write(&file, &two.address).unwrap();
        proxy.signal(Signal::SIGHUP);
        await_links(&proxy, &one, 0, "they are closed");
        assert_eq!(ask(&proxy, GET), (200, "ok".into()), "{model}");
        assert_eq!(two.connections(), 1, "{model}");
    }
}

#[test]
fn those_that_the_backend_has_closed_are_closed() {
    everywhere(|model| {
        let closes = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&closes);
        let backend = Scripted::new(move |mut stream, _| {
            read_head(&mut stream);
            stream.write_all(OK).unwrap();
            eventually("it is to close", || asked.load(Ordering::SeqCst));
        });
        let proxy = proxy(model, &[&backend.address], &FOR_LONG);
        assert_eq!(ask(&proxy, GET), (200, "ok".into()), "{model}");
        await_links(&proxy, &backend, 1, "the link is kept");
        closes.store(true, Ordering::SeqCst);
        await_links(&proxy, &backend, 0, "it is closed");
    });
}

#[test]
fn those_that_nobody_has_used_for_a_while_are_closed() {
    everywhere(|model| {
        let backend = Scripted::answering(OK);
        let proxy = proxy(model, &[&backend.address], &["--link-idle", "1s"]);
        assert_eq!(ask(&proxy, GET), (200, "ok".into()), "{model}");
        await_links(&proxy, &backend, 0, "it is closed");
        assert_eq!(ask(&proxy, GET), (200, "ok".into()), "{model}");
        assert_eq!(backend.connections(), 2, "{model}: the first one was not used again");
    });
}

#[test]
fn no_more_of_them_are_kept_than_the_flag_says() {
    const CLIENTS: usize = 8;
    for model in ["thread", "epoll-level", "epoll-oneshot", "reactors", "uring"] {
        if !has(model) {
            continue;
        }
        println!("{model}");
        let backend = answering_together(CLIENTS);
        let flags = ["--links-max", "3", "--workers", "1"];
        let proxy = proxy(model, &[&backend.address], &[&FOR_LONG[..], &flags].concat());
        ask_together(&proxy, CLIENTS);
        await_links(&proxy, &backend, 3, "the others are closed");
    }
}
