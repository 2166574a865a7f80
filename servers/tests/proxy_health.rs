//! What a proxy knows of its backends: probes, ejections, and what it tells about that.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use process::admin::{Proxy, get};
use process::scripted::{OK, Scripted, nobody, read_head};
use process::{SERVERS, Server, eventually, expect};
use serde_json::json;

/// An HTTP proxy; how a backend is judged does not depend on the model.
fn proxy(flags: &[&str]) -> Proxy {
    Proxy::start("epoll-edge", "proxy", flags)
}

/// The number of the server that answers, or the status if none does.
fn ask(proxy: &Proxy) -> String {
    let answer = get(proxy.address, "/home");
    let status = answer[9..12].to_owned();
    let server = answer.split("Hello from Server: ").nth(1);
    server.map_or(status, |rest| rest.split('"').next().unwrap().to_owned())
}

fn backend(id: &str) -> Server {
    Server::start("epoll-level", "http", &["--server-id", id])
}

#[test]
fn a_backend_that_hangs_is_taken_out_and_comes_back() {
    let (one, two) = (backend("one"), backend("two"));
    let addresses = [one.address.to_string(), two.address.to_string()];
    let proxy = proxy(&[
        "--backend",
        &addresses[0],
        "--backend",
        &addresses[1],
        "--health-path",
        "/heartbeat",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "50ms",
        "--response-timeout",
        "20s",
    ]);
    one.signal(Signal::SIGSTOP);
    let in_service = |number: usize| proxy.backend(number)["health"] == "in-service";
    eventually("the probes see it", || !in_service(0));
    assert!((0..10).all(|_| ask(&proxy) == "two"));
    one.signal(Signal::SIGCONT);
    eventually("it is taken in again", || in_service(0));
    eventually("it is asked again", || ask(&proxy) == "one");
}

#[test]
fn where_all_are_dead_it_says_so_and_recovers_by_itself() {
    let mut one = backend("one");
    let address = one.address.to_string();
    let proxy =
        proxy(&["--backend", &address, "--health-path", "/heartbeat", "--health-interval", "50ms"]);
    assert_eq!(ask(&proxy), "one");
    one.signal(Signal::SIGKILL);
    let _ = one.wait();
    assert_eq!(ask(&proxy), "503");
    let again = Command::new(SERVERS)
        .args(["run", "--model", "epoll-level", "--app", "http", "--server-id", "again"])
        .args(["--listen", &address])
        .stdout(Stdio::null())
        .spawn();
    let mut again = again.unwrap();
    eventually("it is asked again", || ask(&proxy) == "again");
    again.kill().unwrap();
    again.wait().unwrap();
}

#[test]
fn what_it_knows_can_be_read_by_people_and_by_prometheus() {
    let one = backend("one");
    let proxy = proxy(&["--backend", &one.address.to_string()]);
    for _ in 0..5 {
        assert_eq!(ask(&proxy), "one");
    }
    let stats = proxy.backend(0);
    assert_eq!((&stats["leased"], &stats["open"]), (&json!(5), &json!(0)), "{stats:#}");
    let metrics = get(proxy.admin, "/metrics");
    let line = format!("{{backend=\"{}\"}} 5", one.address);
    assert!(metrics.lines().any(|text| text.ends_with(&line)), "{metrics}");
    let mut stream = TcpStream::connect(proxy.admin).unwrap();
    let mut other = [0];
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut other).is_err(), "it waits for a request");
    assert!(get(proxy.admin, "/").contains("/metrics"), "and meanwhile answers others");
}

/// A backend that answers whatever it is asked, but for its health.
fn too_busy_for_probes() -> Scripted {
    Scripted::new(|mut stream, _| {
        loop {
            match read_head(&mut stream) {
                head if head.is_empty() => return,
                head if head.starts_with("GET /heartbeat ") => {}
                _ => stream.write_all(OK).unwrap(),
            }
        }
    })
}

#[test]
fn backends_that_serve_but_are_too_busy_for_probes_are_not_all_taken_out() {
    let backends = [too_busy_for_probes(), too_busy_for_probes()];
    let proxy = proxy(&[
        "--backend",
        &backends[0].address,
        "--backend",
        &backends[1].address,
        "--health-path",
        "/heartbeat",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "50ms",
    ]);
    let all = || [proxy.backend(0), proxy.backend(1)];
    eventually("one is taken out and the last one spared", || {
        all().iter().any(|one| one["health"] == "down")
            && all().iter().any(|one| one["spared"].as_u64() > Some(2))
    });
    for _ in 0..10 {
        let answer = get(proxy.address, "/");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let spared = "servers_backend_spared_total{backend=";
    assert!(get(proxy.admin, "/metrics").contains(spared));
}

#[test]
fn backends_that_do_not_speak_http_are_healthy_when_they_can_be_connected_to() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let flags = ["--health-connect", "--health-interval", "50ms"];
    let backends = ["--backend", &echo.address.to_string(), "--backend", &nobody()];
    let relay = Proxy::start("epoll-edge", "relay", &[flags.as_slice(), &backends].concat());
    eventually("who is not there is found", || relay.backend(1)["health"] == "down");
    for _ in 0..10 {
        let mut client = relay.connect();
        client.write_all(b"there and back").unwrap();
        expect(&mut client, b"there and back");
    }
    let echo = relay.backend(0);
    assert_eq!((&echo["health"], &echo["spared"]), (&json!("in-service"), &json!(0)), "{echo:#}");
}
