//! A proxy with an admin server, and what it says there and on standard error.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::scripted::read_answer;
use super::{LONG, SERVERS, read_to_close};

/// It is killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    words: Lines<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Proxy {
    /// Starts `model` with `app`, which is one that forwards.
    pub(crate) fn start(model: &str, app: &str, flags: &[&str]) -> Self {
        Self::start_by(&[SERVERS], model, app, flags)
    }

    /// Starts it through another command, such as `prlimit`.
    pub(crate) fn start_by(by: &[&str], model: &str, app: &str, flags: &[&str]) -> Self {
        let mut child = Command::new(by[0])
            .args(&by[1..])
            .args(["run", "--model", model, "--app", app, "--listen", "127.0.0.1:0"])
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
        let words = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, words, address, admin }
    }

    /// A connection that does not wait for ever.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, LONG).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Asks it to read the backends again.
    pub(crate) fn hang_up(&self) {
        kill(self.pid(), Signal::SIGHUP).unwrap();
    }

    /// Has the backends read again; what it says of that.
    pub(crate) fn reload(&mut self) -> String {
        self.hang_up();
        self.says("backends")
    }

    /// Waits until it says something with that word in it on standard error.
    pub(crate) fn says(&mut self, word: &str) -> String {
        let has_word = |line: &String| line.contains(word);
        self.words.find_map(|line| line.ok().filter(has_word)).unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// What `/stats` says.
    pub(crate) fn stats(&self) -> Value {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"GET /stats HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let (_, content) = read_answer(&mut stream);
        serde_json::from_str(&content).unwrap()
    }

    /// What it says there of the backend at `place`.
    pub(crate) fn backend(&self, place: usize) -> Value {
        self.stats()["backends"][place].take()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to a GET, with its head.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read_to_close(&mut stream)
}
