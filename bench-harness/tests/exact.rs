//! Replies through a proxy or a relay in every model, counted one by one by the load generator: so
//! many were asked for, and so many came back as they had to be.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use bench_harness::launch::process::Binaries;
use loadgen::report::{Comparison, Summary};

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(30);

/// 14 octets, as a message of `--app fixed` has when nobody says.
const MESSAGE: &str = "Hi from client";
const REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nHello, world!\n";

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let folder: PathBuf = test.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).into();
    Binaries::find(Some(&folder)).unwrap()
});

/// A server on a free port, killed when dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(model: &str, app: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(&BINARIES.servers);
        command.args(["run", "--model", model, "--app", app, "--listen", "127.0.0.1:0"]);
        let mut process = command.args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the first line of output");
        Self { process, address: address.into() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In every model that this host has.
fn everywhere(test: impl Fn(&str)) {
    for model in BINARIES.models().unwrap() {
        match model.refusal {
            Some(why) => eprintln!("SKIPPED: {}: {why}", model.name),
            None => test(&model.name),
        }
    }
}

/// What the load generator found: two clients at once, so many requests of each.
fn load(target: &str, count: u64, flags: &[&str]) -> Summary {
    let count = count.to_string();
    let line = [target, "--connections", "2", "--count", &count, "--format", "json"];
    let output = Command::new(&BINARIES.loadgen).args(line).args(flags).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_exact(found: &Summary, comparison: Comparison, replies: u64) {
    assert_eq!(found.replies.compared_with, comparison);
    assert_eq!((found.replies.exact, found.replies.wrong), (replies, 0));
    assert_eq!((found.errors.total(), found.connections.reconnects), (0, 0));
}

#[test]
fn a_thousand_messages_of_two_clients_each_come_back_through_a_relay() {
    let echo = Server::start("epoll-level", "echo", &[]);
    let fixed = Server::start("epoll-level", "fixed", &["--reply", REPLY]);
    everywhere(|model| {
        let relay = Server::start(model, "relay", &["--backend", &echo.address]);
        let target = format!("tcp://{}", relay.address);
        let found = load(&target, 1_000, &["--message", MESSAGE]);
        assert_exact(&found, Comparison::Message, 2_000);
        assert_eq!(found.octets_sent, 2_000 * MESSAGE.len() as u64);

        let relay = Server::start(model, "relay", &["--backend", &fixed.address]);
        let target = format!("tcp://{}", relay.address);
        let found = load(&target, 1_000, &["--message", MESSAGE, "--expect", REPLY]);
        assert_exact(&found, Comparison::Text, 2_000);
        assert_eq!(found.octets_received, 2_000 * REPLY.len() as u64);
    });
}

/// Octets that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

#[test]
fn a_file_of_any_size_comes_through_a_proxy_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [(0, 5), (1, 5), (60, 1_000), (20_000, 50), (5_000_000, 2)];
    let file = |size: usize| folder.path().join(size.to_string());
    sizes.iter().for_each(|&(size, _)| fs::write(file(size), content(size)).unwrap());
    let backends = ["epoll-level", "thread"]
        .map(|model| Server::start(model, "http", &["--root", folder.path().to_str().unwrap()]));
    let flags = ["--backend", &backends[0].address, "--backend", &backends[1].address];
    everywhere(|model| {
        let proxy = Server::start(model, "proxy", &flags);
        for (size, count) in sizes {
            let target = format!("http://{}/files/{size}", proxy.address);
            let found = load(&target, count, &["--expect-file", file(size).to_str().unwrap()]);
            assert_exact(&found, Comparison::File, 2 * count);
        }
    });
}

/// The status and the rest of what comes.
fn ask(server: &Server, target: &str) -> (String, String) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].into(), answer)
}

#[test]
fn no_path_through_a_proxy_leaves_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("inside")).unwrap();
    fs::write(root.join("public"), "public").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    symlink("../secret", root.join("link")).unwrap();
    let backend = Server::start("epoll-level", "http", &["--root", root.to_str().unwrap()]);
    let proxy = Server::start("epoll-edge", "proxy", &["--backend", &backend.address]);
    assert!(ask(&proxy, "/files/public").1.ends_with("\r\n\r\npublic"));
    let absolute = format!("/files/{}", folder.path().join("secret").display());
    for path in [
        "/files/../secret",
        "/files/inside/../../secret",
        "/files/%2e%2e/secret",
        "/files/..%2fsecret",
        "/files/inside/%2E%2E/%2E%2E/secret",
        "/files/link",
        "/files//../secret",
        "/files/..\\secret",
        &absolute,
    ] {
        let (status, answer) = ask(&proxy, path);
        assert!(status.starts_with('4'), "{path}: {answer}");
        assert!(!answer.contains("\r\n\r\nsecret"), "{path}: {answer}");
    }
    assert_eq!(ask(&proxy, "/files/public").0, "200", "it goes on");
}
