//! A real `servers` process for a test, and the client's side of a conversation with it.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

pub(crate) mod admin;
pub(crate) mod relaying;
pub(crate) mod scripted;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use servers::models::{MODELS, Model, model};
use tempfile::TempDir;

/// Longer than anything takes that works, on however busy a machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The binary under test.
pub(crate) const SERVERS: &str = env!("CARGO_BIN_EXE_servers");

/// The models that this host has. Those it has not are named, aloud.
pub(crate) fn models() -> impl Iterator<Item = &'static Model> {
    MODELS.iter().filter(|model| has(model.name))
}

/// Whether this host has that model; if not, it says so.
pub(crate) fn has(name: &str) -> bool {
    let refusal = model(name).and_then(Model::refusal);
    refusal.inspect(|reason| eprintln!("SKIPPED {name}: {reason}")).is_none()
}

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `model` with `app` on a free port of the loopback interface.
    pub(crate) fn start(model: &str, app: &str, flags: &[&str]) -> Self {
        Self::start_by(&[SERVERS], model, app, flags)
    }

    /// Starts it through another command, such as `prlimit`.
    pub(crate) fn start_by(by: &[&str], model: &str, app: &str, flags: &[&str]) -> Self {
        Self::launch(by, model, app, &[&["--listen", "127.0.0.1:0"], flags].concat())
    }

    /// Starts it on a free port of another address.
    pub(crate) fn start_at(address: IpAddr, model: &str, app: &str, flags: &[&str]) -> Self {
        let listen = SocketAddr::new(address, 0).to_string();
        Self::launch(&[SERVERS], model, app, &[&["--listen", &listen], flags].concat())
    }

    fn launch(by: &[&str], model: &str, app: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(by[0])
            .args(&by[1..])
            .args(["run", "--model", model, "--app", app, "--counters"])
            .arg(directory.path().join("counters.json"))
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the first line of output");
        Self { child, directory, address: address.parse().unwrap() }
    }

    /// A connection that does not wait for ever.
    pub(crate) fn connect(&self) -> TcpStream {
        self.try_connect().unwrap()
    }

    /// The same with a server that may reset it at once: connect(2) itself fails with ECONNRESET
    /// when the reset is there before the caller has its turn again.
    pub(crate) fn try_connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, LONG)?;
        stream.set_read_timeout(Some(LONG))?;
        stream.set_write_timeout(Some(LONG))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends `request` on a connection of its own, and reads what comes until the server closes.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        read_to_close(&mut stream)
    }

    /// Asks for `path` in one request, and checks that the answer is a 200.
    pub(crate) fn get(&self, path: &str) -> String {
        let answer =
            self.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        body.to_owned()
    }

    /// The counters of a server that speaks HTTP, while it runs.
    pub(crate) fn stats(&self) -> Value {
        serde_json::from_str::<Value>(&self.get("/stats")).unwrap()["totals"].take()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < LONG {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end");
    }

    /// Stops it, and reads its counters.
    pub(crate) fn stop(&mut self) -> Value {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert!(status.success(), "{status}");
        let counters = fs::read(self.directory.path().join("counters.json")).unwrap();
        serde_json::from_slice(&counters).unwrap()
    }

    /// Memory of its own, in octets: counted page by page, where VmRSS may lag behind.
    pub(crate) fn resident(&self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The inodes of its open sockets, as /proc/net names them. Threads may have tables of their
    /// own.
    pub(crate) fn sockets(&self) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let tables = threads.filter_map(|thread| fs::read_dir(thread.ok()?.path().join("fd")).ok());
        let links = tables.flatten().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let socket = |link: PathBuf| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        };
        links.filter_map(socket).collect()
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the server closes.
pub(crate) fn read_to_close(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    String::from_utf8_lossy(&octets).into_owned()
}

/// Reads exactly as much as `expected` is long, and compares.
pub(crate) fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut octets = vec![0; expected.len()];
    stream.read_exact(&mut octets).unwrap();
    assert!(octets == expected, "another {} octets than expected", expected.len());
}

/// Closes a connection in a way that the other side sees as a reset.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Tries again until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "it never happens that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
