//! A real balancer with real replicas for a test.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part of this")]

pub(crate) mod asker;
pub(crate) mod ring;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes that works, on however busy a machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// The binary under test.
pub(crate) const SERVERS: &str = env!("CARGO_BIN_EXE_servers");

/// How long a replica was out of service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    /// From what befell it until it was taken out of service.
    pub(crate) found: Duration,
    /// From what befell it until another process was in service.
    pub(crate) back: Duration,
}

/// A running balancer. When dropped it is killed, and its replicas with it.
pub(crate) struct Balancer {
    child: Child,
    directory: TempDir,
    pub(crate) address: SocketAddr,
    /// Where its figures are, if it was started with `--admin`.
    admin: Option<SocketAddr>,
}

/// A program that stops itself (SIGSTOP) before it becomes a server, as long as the file `slow` is
/// beside it; that ends as long as the file `broken` is; and that says it listens where somebody
/// else does, as long as the file `mute` is, which names the address.
const MOODY: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit
[ -e broken ] && exit 9
[ -e mute ] && echo listening $(cat mute) && exec sleep 600
[ -e slow ] && kill -STOP $$
exec SERVERS \"$@\"
";

impl Balancer {
    /// Starts one on a free port.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    /// Starts one whose replicas have [moods](Self::set_mood).
    pub(crate) fn start_moody(flags: &[&str]) -> Self {
        Self::start_scripted(MOODY, flags)
    }

    /// Starts one through another command, such as `prlimit`.
    pub(crate) fn start_by(by: Command, flags: &[&str]) -> Self {
        Self::launch(by, tempfile::tempdir().unwrap(), flags)
    }

    /// Starts one whose replicas are started by this shell script, which gets the arguments of
    /// `servers run`.
    pub(crate) fn start_scripted(script: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = scripted(directory.path(), script);
        let flags = [&["--program", program.to_str().unwrap()], flags].concat();
        Self::start_in(directory, &flags)
    }

    fn start_in(directory: TempDir, flags: &[&str]) -> Self {
        Self::launch(Command::new(SERVERS), directory, flags)
    }

    fn launch(mut by: Command, directory: TempDir, flags: &[&str]) -> Self {
        // A busy machine is no reason to give a replica up, unless the test is about that.
        let patience = (!flags.contains(&"--request-timeout")).then_some("--request-timeout=30s");
        let mut child = by
            .args(["balance", "--listen", "127.0.0.1:0", "--events-file"])
            .arg(directory.path().join("events"))
            .args(flags)
            .args(patience)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = |what: &str| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(what).expect("the first lines of output");
            address.parse().unwrap()
        };
        let address = said("listening ");
        let admin = flags.contains(&"--admin").then(|| said("admin "));
        Self { child, directory, address, admin }
    }

    /// Makes processes that are started from now on `slow` or `broken`.
    pub(crate) fn set_mood(&self, mood: &str) {
        fs::write(self.mood(mood), "").unwrap();
    }

    /// Makes them say that they listen there.
    pub(crate) fn set_mute(&self, address: SocketAddr) {
        fs::write(self.mood("mute"), address.to_string()).unwrap();
    }

    /// They are well again.
    pub(crate) fn clear_mood(&self, mood: &str) {
        fs::remove_file(self.mood(mood)).unwrap();
    }

    fn mood(&self, mood: &str) -> PathBuf {
        self.directory.path().join(mood)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        ask(self.address, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
    }

    pub(crate) fn add(&self, payload: &str) -> (u16, Value) {
        change(self.address, "POST /add", payload)
    }

    pub(crate) fn remove(&self, payload: &str) -> (u16, Value) {
        change(self.address, "DELETE /rm", payload)
    }

    /// What it says to operators, as text.
    pub(crate) fn figures(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let (head, content) = ask_for_text(self.admin.expect("--admin"), &request);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        content
    }

    /// What it says to operators about that replica.
    pub(crate) fn stats_of(&self, replica: &str) -> Value {
        let stats = serde_json::from_str::<Value>(&self.figures("/stats")).unwrap();
        let mut all = stats["replicas"].as_array().unwrap().iter();
        all.find(|row| row["name"] == replica).expect("a replica").clone()
    }

    /// The names of the replicas.
    pub(crate) fn replicas(&self) -> Vec<String> {
        let (status, answer) = self.get("/rep");
        assert_eq!(status, 200, "{answer}");
        names(&answer)
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.directory.path().join("events")).unwrap();
        // A line that is being written has no end yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many events of that kind there are of that replica.
    pub(crate) fn count(&self, tag: &str, replica: &str) -> usize {
        let of = |event: &&Value| event["tag"] == tag && event["replica"] == replica;
        self.events().iter().filter(of).count()
    }

    /// The process that was started last for a replica.
    pub(crate) fn pid_of(&self, replica: &str) -> Pid {
        let events = self.events();
        let mut latest = events.iter().rev().filter(|event| event["replica"] == replica);
        let pid = latest.find_map(|event| event["pid"].as_i64()).expect("a process");
        Pid::from_raw(pid as i32)
    }

    /// Kills the process of a replica, and waits until another one is in service; says after how
    /// long.
    pub(crate) fn kill_and_wait(&self, name: &str) -> Duration {
        self.outage(name, Signal::SIGKILL).back
    }

    /// Kills or freezes the process of a replica, and waits until another one is in service.
    pub(crate) fn outage(&self, name: &str, signal: Signal) -> Outage {
        let before = self.count("RESPAWN", name);
        let pid = self.pid_of(name);
        let from = SystemTime::now();
        kill(pid, signal).unwrap();
        eventually("it is back", || self.count("RESPAWN", name) > before);
        assert_ne!(self.pid_of(name), pid);
        assert!(!lives(pid));
        let after = |tag| self.latest(name, tag).duration_since(from).unwrap();
        Outage { found: after("FLATLINE"), back: after("RESPAWN") }
    }

    /// When the latest event of that kind happened to a replica.
    fn latest(&self, name: &str, tag: &str) -> SystemTime {
        let events = self.events();
        let mut of_name = events.iter().rev().filter(|event| event["replica"] == name);
        let event = of_name.find(|event| event["tag"] == tag).unwrap();
        humantime::parse_rfc3339(event["at"].as_str().unwrap()).unwrap()
    }

    /// The replica of each process that there was, by the process's number.
    pub(crate) fn processes(&self) -> HashMap<u64, String> {
        let events = self.events();
        let process = |event: &Value| {
            Some((event["server_id"].as_u64()?, event["replica"].as_str()?.to_owned()))
        };
        events.iter().filter_map(process).collect()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The processes that it has started and that have not ended.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return Vec::new();
        };
        let children = threads
            .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
        let text = children.collect::<Vec<_>>().join(" ");
        let pids = text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()));
        pids.filter(|pid| lives(*pid)).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the balancer ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts an executable shell script into a directory; SERVERS in it is the binary under test.
pub(crate) fn scripted(directory: &Path, script: &str) -> PathBuf {
    let program = directory.join("program");
    // By another process: a child that another test starts meanwhile must not have it open for
    // writing, or nobody may run it (ETXTBSY, execve(2)).
    let write = "cat > \"$1\" && chmod 755 \"$1\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", write, "sh"]).arg(&program).stdin(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let text = script.replace("SERVERS", SERVERS);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    program
}

/// Asks for a change.
pub(crate) fn change(address: SocketAddr, line: &str, payload: &str) -> (u16, Value) {
    let length = payload.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{payload}"
    );
    ask(address, &request)
}

/// Sends a request, and reads the answer: its status, and the JSON in it, if there is any.
pub(crate) fn ask(address: SocketAddr, request: &str) -> (u16, Value) {
    let (head, body) = ask_for_text(address, request);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The same, as head and body.
pub(crate) fn ask_for_text(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect_timeout(&address, LONG).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    (head.to_owned(), body.to_owned())
}

/// The names in the answer to `/rep`, `/add` and `/rm`.
pub(crate) fn names(answer: &Value) -> Vec<String> {
    let names = answer["message"]["replicas"].as_array().expect("a list of replicas");
    assert_eq!(answer["message"]["N"], names.len());
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Whether a process has not ended: a zombie has.
pub(crate) fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let state = stat.ok().and_then(|stat| stat.rsplit(") ").next()?.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}

/// Tries again until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "it never happens that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
