//! What a proxy knows of its backends: probes, ejections, reloads, and what it tells about that.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{LONG, SERVERS, Server, eventually, read_to_close};
use serde_json::Value;

/// A proxy with an admin server.
struct Proxy {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Proxy {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(SERVERS)
            .args(["run", "--model", "epoll-edge", "--app", "proxy", "--listen", "127.0.0.1:0"])
            .args(["--admin", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |before: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(before).unwrap().parse().unwrap()
        };
        let (address, admin) = (address("listening "), address("admin "));
        Self { child, address, admin }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The number of the server that answers, or the status if none does.
    fn ask(&self) -> String {
        let answer = get(self.address, "/home");
        let status = answer[9..12].to_owned();
        let server = answer.split("Hello from Server: ").nth(1);
        server.map_or(status, |rest| rest.split('"').next().unwrap().to_owned())
    }

    fn stats(&self) -> Value {
        let answer = get(self.admin, "/stats");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read_to_close(&mut stream)
}

fn backend(id: &str) -> Server {
    Server::start("epoll-level", "http", &["--server-id", id])
}

#[test]
fn the_file_of_backends_is_read_again_at_sighup() {
    let (one, two) = (backend("one"), backend("two"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("backends");
    fs::write(&file, format!("{}\n", one.address)).unwrap();
    let mut proxy = Proxy::start(&["--backends", file.to_str().unwrap()]);
    assert_eq!((proxy.ask(), proxy.ask()), ("one".into(), "one".into()));
    fs::write(&file, format!("{}\n", two.address)).unwrap();
    proxy.signal(Signal::SIGHUP);
    eventually("the other one answers", || proxy.ask() == "two");
    fs::write(&file, format!("{}\nno such line\n", one.address)).unwrap();
    proxy.signal(Signal::SIGHUP);
    let mut words = BufReader::new(proxy.child.stderr.take().unwrap()).lines();
    let words = words.find_map(|line| line.ok().filter(|line| line.contains("stay"))).unwrap();
    assert!(words.contains(":2:1:"), "{words}");
    assert_eq!(proxy.ask(), "two", "a file that makes no sense changes nothing");
}

#[test]
fn a_backend_that_hangs_is_taken_out_and_comes_back() {
    let (one, two) = (backend("one"), backend("two"));
    let addresses = [one.address.to_string(), two.address.to_string()];
    let proxy = Proxy::start(&[
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
    let in_service = |number: usize| proxy.stats()["backends"][number]["health"] == "in-service";
    eventually("the probes see it", || !in_service(0));
    assert!((0..10).all(|_| proxy.ask() == "two"));
    one.signal(Signal::SIGCONT);
    eventually("it is taken in again", || in_service(0));
    eventually("it is asked again", || proxy.ask() == "one");
}

#[test]
fn where_all_are_dead_it_says_so_and_recovers_by_itself() {
    let mut one = backend("one");
    let address = one.address.to_string();
    let proxy = Proxy::start(&[
        "--backend",
        &address,
        "--health-path",
        "/heartbeat",
        "--health-interval",
        "50ms",
    ]);
    assert_eq!(proxy.ask(), "one");
    one.signal(Signal::SIGKILL);
    let _ = one.wait();
    assert_eq!(proxy.ask(), "503");
    let again = Command::new(SERVERS)
        .args(["run", "--model", "epoll-level", "--app", "http", "--server-id", "again"])
        .args(["--listen", &address])
        .stdout(Stdio::null())
        .spawn();
    let mut again = again.unwrap();
    eventually("it is asked again", || proxy.ask() == "again");
    again.kill().unwrap();
    again.wait().unwrap();
}

#[test]
fn what_it_knows_can_be_read_by_people_and_by_prometheus() {
    let one = backend("one");
    let proxy = Proxy::start(&["--backend", &one.address.to_string()]);
    for _ in 0..5 {
        assert_eq!(proxy.ask(), "one");
    }
    let stats = proxy.stats();
    assert_eq!(stats["backends"][0]["leased"], 5, "{stats:#}");
    assert_eq!(stats["backends"][0]["open"], 0, "{stats:#}");
    let metrics = get(proxy.admin, "/metrics");
    let line = format!("{{backend=\"{}\"}} 5", one.address);
    assert!(metrics.lines().any(|text| text.ends_with(&line)), "{metrics}");
    let mut stream = TcpStream::connect(proxy.admin).unwrap();
    let mut other = [0];
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut other).is_err(), "it waits for a request");
    assert!(get(proxy.admin, "/").contains("/metrics"), "and meanwhile answers others");
}
