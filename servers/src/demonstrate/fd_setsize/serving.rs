//! Two servers: one turns away whom its set has no room for, the other has a longer set.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::child::{self, Outcome};
use super::{Deed, Way};

pub(super) const SELECT: Way =
    Way { name: "select", summary: "this server, --model select", deed: Deed::Serve };
pub(super) const SELECT_WIDE: Way =
    Way { name: "select-wide", summary: "this server, --model select-wide", deed: Deed::Serve };

/// How many clients come: more than an `fd_set` has room for.
pub(super) const CLIENTS: usize = 1_500;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

const HELLO: &str = "GET /heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n";
const STATS: &str = "GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Lets all clients come and stay: how many the server served, and how it ended when told to.
///
/// # Errors
/// When there is no server, or one that leaves clients without an answer.
pub(super) fn serve(model: &str) -> anyhow::Result<(Outcome, String)> {
    let mut server = Server::start(model)?;
    let mut clients = clients(server.address()?).context("cannot connect to it")?;
    let (first, others) = clients.split_first_mut().context("no clients")?;
    let served = others.iter_mut().map(is_served).collect::<io::Result<Vec<_>>>();
    let served = served.context("it does not answer")?.into_iter().filter(|&served| served).count();
    let highest = server.highest_descriptor()?;
    let counters = counters(first).context("it does not serve its first client")?;
    let evidence = format!(
        "of {CLIENTS} clients {} are served; its counters: accepted {}, refused {}; its highest \
         descriptor: {highest}",
        served + 1,
        counters["accepted"],
        counters["refused"],
    );
    drop(clients);
    Ok((server.stop()?, evidence))
}

/// A server's process, killed when dropped.
struct Server(Child);

impl Server {
    fn start(model: &str) -> anyhow::Result<Self> {
        let line = ["run", "--model", model, "--app", "http", "--listen", "127.0.0.1:0"];
        let process = child::command(&line)?.stdout(Stdio::piped()).spawn();
        Ok(Self(process.context("cannot start it")?))
    }

    /// Where it listens: the first line that it writes.
    fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let mut line = String::new();
        let out = self.0.stdout.take().context("its address was asked for before")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening ").and_then(|word| word.parse().ok());
        address.context("it does not say where it listens")
    }

    /// proc_pid_fd(5)
    fn highest_descriptor(&self) -> anyhow::Result<u32> {
        let directory = format!("/proc/{}/fd", self.0.id());
        let entries =
            fs::read_dir(&directory).with_context(|| format!("cannot read {directory}"))?;
        let numbers =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.max().context("it has no descriptors")
    }

    fn stop(&mut self) -> anyhow::Result<Outcome> {
        let process = Pid::from_raw(self.0.id().cast_signed());
        kill(process, Signal::SIGTERM).context("cannot stop it")?;
        Ok(self.0.wait()?.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn clients(server: SocketAddr) -> io::Result<Vec<TcpStream>> {
    let connect = |_| {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    (0..CLIENTS).map(connect).collect()
}

/// Whether a request is answered; if not, the server has closed the connection.
///
/// # Errors
/// When nothing happens.
fn is_served(client: &mut TcpStream) -> io::Result<bool> {
    let mut start = [0; 12];
    let asked = client.write_all(HELLO.as_bytes());
    match asked.and_then(|()| client.read_exact(&mut start)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        answered => Ok(answered.is_ok() && &start == b"HTTP/1.1 200"),
    }
}

/// What the server counts.
fn counters(client: &mut TcpStream) -> anyhow::Result<Value> {
    client.write_all(STATS.as_bytes())?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("its answer has no end")?;
    Ok(serde_json::from_str::<Value>(body)?["totals"].take())
}
