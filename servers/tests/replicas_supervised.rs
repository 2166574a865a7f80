//! What must not stop the healing, and what must not be taken for a sick replica: a balancer
//! without descriptors, events that nobody reads, signals at the wrong time, programs that are no
//! servers.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use balancer::{Balancer, SERVERS, eventually, lives, scripted};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const QUICK: [&str; 6] =
    ["--heartbeat-interval", "50ms", "--failures", "3", "--request-timeout", "30s"];
const THREE: [&str; 3] = ["Server-1", "Server-2", "Server-3"];

/// Through `prlimit`, with so many descriptors.
fn with_descriptors(count: usize) -> Command {
    let mut by = Command::new("prlimit");
    by.arg(format!("--nofile={count}:{count}")).arg(SERVERS);
    by
}

/// So many descriptors, from now on.
fn allow(balancer: &Balancer, descriptors: usize) {
    if descriptors < 10 {
        // It says where it listens before it has all that it needs to serve.
        assert_eq!(balancer.replicas(), THREE);
    }
    let mut by = Command::new("prlimit");
    by.args(["--pid", &balancer.pid().to_string(), &format!("--nofile={descriptors}:")]);
    assert!(by.status().unwrap().success());
}

fn words(balancer: &Balancer, replica: &str, beginning: &str) -> usize {
    let begins = |event: &&Value| {
        event["replica"] == replica && event["words"].as_str().unwrap().starts_with(beginning)
    };
    balancer.events().iter().filter(begins).count()
}

const LACKS: &str = "the balancer lacks something itself";

#[test]
fn a_balancer_without_descriptors_kills_nobody_and_says_so_once() {
    let balancer = Balancer::start_by(with_descriptors(100), &QUICK);
    let before = THREE.map(|name| balancer.pid_of(name));
    allow(&balancer, 3);
    eventually("it is noticed", || THREE.iter().all(|name| words(&balancer, name, LACKS) > 0));
    // Many more heartbeats than may be missed.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(THREE.map(|name| words(&balancer, name, LACKS)), [1; 3], "{:#?}", balancer.events());
    assert_eq!(THREE.map(|name| balancer.count("FLATLINE", name)), [0; 3]);
    allow(&balancer, 100);
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(balancer.get("/home").0, 200);
    assert_eq!(THREE.map(|name| balancer.pid_of(name)), before);
}

#[test]
fn a_restart_waits_for_descriptors_and_counts_as_none_meanwhile() {
    let flags = [&QUICK[..], &["--starts", "3", "--pause-max", "10m"]].concat();
    let balancer = Balancer::start_by(with_descriptors(100), &flags);
    allow(&balancer, 3);
    kill(balancer.pid_of("Server-2"), Signal::SIGKILL).unwrap();
    eventually("it is noticed", || words(&balancer, "Server-2", LACKS) > 0);
    // Several times as long as there is between two tries.
    thread::sleep(Duration::from_secs(1));
    allow(&balancer, 100);
    eventually("it is back", || balancer.count("RESPAWN", "Server-2") == 1);
    assert_eq!(words(&balancer, "Server-2", "failed"), 0);
}

#[test]
fn clients_that_take_all_descriptors_do_not_stop_the_healing() {
    let balancer = Balancer::start_by(with_descriptors(100), &QUICK);
    let idle = [(); 150].map(|()| TcpStream::connect(balancer.address).unwrap());
    // Of those the last ones wait to be accepted, and so does this one.
    let mut late = TcpStream::connect(balancer.address).unwrap();
    io::Write::write_all(&mut late, b"GET /rep HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let read = io::Read::read(&mut late, &mut [0; 1]);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock, "there is no room for it");
    for name in THREE {
        kill(balancer.pid_of(name), Signal::SIGKILL).unwrap();
        eventually("it is back", || balancer.count("RESPAWN", name) == 1);
    }
    assert_eq!(THREE.map(|name| words(&balancer, name, LACKS)), [0; 3]);
    drop(idle);
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(THREE.map(|name| balancer.count("FLATLINE", name)), [1; 3]);
}

/// A balancer that is not there yet.
struct Starting {
    child: Child,
    directory: tempfile::TempDir,
}

impl Starting {
    fn new(script: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut balance = Command::new(SERVERS);
        balance.args(["balance", "--listen", "127.0.0.1:0", "--start-timeout", "10m", "--program"]);
        balance.arg(scripted(directory.path(), script)).args(flags);
        let child = balance.stdout(Stdio::piped()).spawn().unwrap();
        Self { child, directory }
    }

    /// What the replicas have said that they are, one pid a line of the file `pids`.
    fn replicas(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.directory.path().join("pids")).unwrap_or_default();
        text.lines().map(|line| Pid::from_raw(line.parse().unwrap())).collect()
    }

    /// Stops it when all replicas have been started, and waits until it has ended.
    fn stop(&mut self) {
        eventually("all have been started", || self.replicas().len() == 3);
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGTERM).unwrap();
        eventually("the balancer ends", || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
        assert!(!self.replicas().into_iter().any(lives), "and nobody is left");
        let mut said = String::new();
        io::Read::read_to_string(self.child.stdout.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(said, "", "it has never listened");
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_balancer_that_starts_can_be_stopped() {
    let hang = "#!/bin/sh\necho $$ >> \"$(dirname \"$0\")\"/pids\nexec sleep 600\n";
    Starting::new(hang, &[]).stop();
}

#[test]
fn a_stop_does_not_wait_for_a_replica_that_listens_and_is_silent() {
    // The kernel accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = format!(
        "#!/bin/sh\necho $$ >> \"$(dirname \"$0\")\"/pids\necho listening {}\nexec sleep 600\n",
        silent.local_addr().unwrap()
    );
    let mut starting = Starting::new(&script, &["--request-timeout", "10m"]);
    // All of them are being asked.
    let _asked = [(); 3].map(|()| silent.accept().unwrap());
    starting.stop();
}

#[test]
fn a_wrapper_hears_the_signal_that_ends_it() {
    let wrapper = "#!/bin/sh
trap 'kill $server; wait $server; exit 7' TERM
SERVERS \"$@\" &
server=$!
wait $server
";
    let balancer = Balancer::start_scripted(wrapper, &["--replicas", "1", "--stop-timeout", "60s"]);
    assert_eq!(balancer.remove(r#"{"n": 1}"#).0, 200);
    assert_eq!(words(&balancer, "Server-1", "stopped: exit status: 7"), 1);
}

#[test]
fn a_program_that_listens_elsewhere_is_not_taken_in() {
    // In place of the words `run --app http --listen 127.0.0.1:0`.
    let elsewhere = "#!/bin/sh\nshift 5\nexec SERVERS run --app http --listen 127.0.0.2:0 \"$@\"\n";
    let balancer = Balancer::start_scripted(elsewhere, &["--replicas", "0"]);
    let (status, answer) = balancer.add(r#"{"n": 1}"#);
    let words = answer["message"].as_str().unwrap();
    assert_eq!(status, 503, "{words}");
    assert!(words.contains("where on 127.0.0.1 it listens, but `listening 127.0.0.2:"), "{words}");
}

#[test]
fn a_program_that_says_more_than_where_it_listens_does_not_wait_for_a_reader() {
    let said = tempfile::NamedTempFile::new().unwrap();
    // After the first line comes more than a pipe has room for (pipe(7)).
    let script = format!(
        "#!/bin/sh
cd \"$(dirname \"$0\")\" && mkfifo out || exit
{{ read -r line; echo \"$line\"; head -c 1000000 /dev/zero; echo all > {}; cat; }} < out &
exec SERVERS \"$@\" > out
",
        said.path().display()
    );
    let balancer = Balancer::start_scripted(&script, &["--replicas", "1"]);
    eventually("all is said", || fs::read_to_string(said.path()).unwrap() == "all\n");
    assert_eq!(balancer.get("/home").0, 200);
    assert_eq!(balancer.count("FLATLINE", "Server-1"), 0);
}

#[test]
fn what_a_wrapper_leaves_behind_goes_with_it() {
    let pids = tempfile::NamedTempFile::new().unwrap();
    // It starts the server as another process, which it does not stop.
    let server = format!("echo $$ >> {}; exec SERVERS \"$@\"", pids.path().display());
    let wrapper = format!("#!/bin/sh\nsh -c '{server}' sh \"$@\" &\nwait\n");
    let balancer = Balancer::start_scripted(&wrapper, &["--replicas", "1"]);
    balancer.kill_and_wait("Server-1");
    let servers = fs::read_to_string(pids.path()).unwrap();
    let servers = servers.lines().map(|line| Pid::from_raw(line.parse().unwrap()));
    let servers = servers.collect::<Vec<_>>();
    assert_eq!(servers.len(), 2);
    eventually("the first one has gone", || !lives(servers[0]));
    assert!(lives(servers[1]));
    assert_eq!(balancer.remove(r#"{"n": 1}"#).0, 200);
    eventually("so has the second one", || !lives(servers[1]));
}

/// What ps(1) calls a process (proc_pid_comm(5)).
fn called(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim_end().to_owned()
}

#[test]
fn a_process_is_called_like_its_replica() {
    let balancer = Balancer::start(&["--replicas", "1"]);
    let long = "--a-name-of-many-octets";
    let payload = format!(r#"{{"n": 1, "hostnames": ["{long}"]}}"#);
    assert_eq!(balancer.add(&payload).0, 200);
    assert_eq!(called(balancer.pid_of("Server-1")), "Server-1");
    assert_eq!(called(balancer.pid_of(long)), long[..15], "the kernel keeps no more of it");
    balancer.kill_and_wait("Server-1");
    assert_eq!(called(balancer.pid_of("Server-1")), "Server-1");
}

#[test]
fn replicas_come_back_when_the_file_of_the_program_has_gone() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("servers");
    fs::copy(SERVERS, &program).unwrap();
    let balancer = Balancer::start_by(Command::new(&program), &["--replicas", "1"]);
    fs::remove_file(&program).unwrap();
    kill(balancer.pid_of("Server-1"), Signal::SIGKILL).unwrap();
    eventually("it is back", || balancer.count("RESPAWN", "Server-1") == 1);
    let line = fs::read(format!("/proc/{}/cmdline", balancer.pid_of("Server-1"))).unwrap();
    let name = program.to_str().unwrap();
    assert!(line.starts_with(name.as_bytes()), "{}", String::from_utf8_lossy(&line));
}

#[test]
fn events_that_nobody_reads_do_not_stop_the_healing() {
    let (_unread, stderr) = io::pipe().unwrap();
    // SAFETY: it changes the size of a pipe, as small as that can be.
    unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&stderr), libc::F_SETPIPE_SZ, 4096) };
    let mut by = Command::new(SERVERS);
    by.stderr(stderr);
    let balancer = Balancer::start_by(by, &["--events", "--well-after", "1ms"]);
    // Each of them is told by three lines.
    for round in 1..=30 {
        kill(balancer.pid_of("Server-1"), Signal::SIGKILL).unwrap();
        eventually("it is back", || balancer.count("RESPAWN", "Server-1") == round);
    }
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(words(&balancer, "events", ""), 0, "and none is missing in the file");
}

/// How many sockets listen on the port of a balancer (proc_pid_net(5): 0A is LISTEN).
fn listeners(balancer: &Balancer) -> usize {
    let ours = format!(":{:04X}", balancer.address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[1].ends_with(&ours) && fields[3] == "0A").count()
}

#[test]
fn a_model_of_several_tables_has_them_here_too() {
    let balancer = Balancer::start(&["--model", "select-sharded"]);
    assert_eq!(listeners(&balancer), 8);
    assert_eq!(balancer.replicas(), THREE);
    assert_eq!(balancer.get("/home").0, 200);
    let balancer = Balancer::start(&["--model", "reactors", "--workers", "3"]);
    assert_eq!(listeners(&balancer), 3);
}

/// `servers balance` where the kernel refuses io_uring_setup(2).
fn without_rings(flags: &[&str], events: &Path) -> Output {
    let mut balance = Command::new(SERVERS);
    balance.args(["balance", "--listen", "127.0.0.1:0", "--events-file"]).arg(events).args(flags);
    // SAFETY: the closure makes two system calls; it neither allocates nor takes a lock.
    unsafe { balance.pre_exec(refuse_rings) };
    balance.output().unwrap()
}

/// A filter of system calls (seccomp(2)) for this process and those that it becomes.
fn refuse_rings() -> io::Result<()> {
    let step = |code: u32, k: u32, jf: u8| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let mut program = [
        // The number of the call is the first word of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_io_uring_setup as u32, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: both calls read what lives until they return.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn a_model_that_this_host_has_not_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let events = directory.path().join("events");
    for flag in ["--model", "--replica-model"] {
        let output = without_rings(&[flag, "uring"], &events);
        assert_eq!(output.status.code(), Some(1));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains("the model uring cannot be had: "), "{flag}: {words}");
        assert!(output.stdout.is_empty() && !events.exists(), "{flag}: nothing has been started");
    }
}
