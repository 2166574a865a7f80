//! `servers packet filter` and `balance` as a shell calls them, on interfaces of hosts of their
//! own, in both modes. Takes root; is skipped aloud without.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

#[path = "../packet/tests/beds/mod.rs"]
mod beds;
mod process;

use std::io::{BufRead, BufReader, ErrorKind, Lines, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use beds::made;
use nix::net::if_::if_nametoindex;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use packet::bed::{Bed, Host};
use packet::bpf::{Attachment, Mode, Program, Type};
use packet::programs::pass;
use process::{LONG, SERVERS, eventually};
use serde_json::Value;

const PORT: u16 = 50_001;
const MODES: [&str; 2] = ["native", "generic"];
const EVEN: &str = "even, dropped";
const ODD: &str = "odd, passed";

/// `servers packet` on a host, killed when dropped.
struct Running {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(host: &Host, words: &str) -> Self {
        let mut command = Command::new(SERVERS);
        command.arg("packet").args(words.split_whitespace()).stdout(Stdio::piped());
        host.namespace.holds(&mut command).unwrap();
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, out }
    }

    fn line(&mut self) -> String {
        self.out.next().expect("one more line").unwrap()
    }

    /// Has it stop. The lines that are left, and the report in the last one.
    fn stop(mut self) -> (Vec<String>, Value) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.end()
    }

    /// Waits until it has ended by itself. The same.
    fn end(&mut self) -> (Vec<String>, Value) {
        let mut lines = self.out.by_ref().collect::<Result<Vec<_>, _>>().unwrap();
        assert!(self.child.wait().unwrap().success(), "{lines:#?}");
        let report = serde_json::from_str(&lines.pop().expect("a report")).unwrap();
        (lines, report)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A filter that is there.
fn filter(host: &Host, mode: &str, flags: &str) -> Running {
    let interface = &host.interface;
    let words = format!("filter --interface {interface} --mode {mode} --trace {flags}");
    let mut filter = Running::start(host, &words);
    assert_eq!(filter.line(), format!("ready {interface} {mode}"));
    filter
}

/// Which of the numbers from 0 to 9 come to the socket; the last one is odd, and always does.
fn passing(from: &Host, to: &UdpSocket) -> Vec<u32> {
    let words = format!("count --to {} --wait 1ms --count 10", to.local_addr().unwrap());
    let (printed, _) = Running::start(from, &words).end();
    assert_eq!(printed.len(), 10);
    let mut received = Vec::new();
    while received.last() != Some(&9) {
        let mut octets = [0; 4];
        to.recv(&mut octets).unwrap();
        received.push(u32::from_le_bytes(octets));
    }
    received
}

#[test]
fn a_filter_comes_and_goes_while_the_counter_runs_and_says_what_it_decides() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let socket = far.namespace.within(|| UdpSocket::bind((far.address, PORT))).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    for mode in MODES {
        assert_eq!(passing(near, &socket), Vec::from_iter(0..10), "without it");
        let filter = filter(far, mode, "");
        assert_eq!(passing(near, &socket), [1, 3, 5, 7, 9], "{mode}");
        let (trace, report) = filter.stop();
        let told = |words| trace.iter().filter(|line| line.ends_with(words)).count();
        assert_eq!((trace.len(), told(EVEN), told(ODD)), (10, 5, 5), "{trace:#?}");
        assert_eq!((&report["even_dropped"], &report["odd_passed"]), (&5.into(), &5.into()));
        assert_eq!(passing(near, &socket), Vec::from_iter(0..10), "when it has gone");
        self::filter(far, mode, "").kill();
        eventually("nothing is left of one that was killed", || passing(near, &socket).len() == 10);
    }
}

#[test]
fn of_a_stream_the_octets_with_odd_numbers_come_until_the_filter_is_gone() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let [near, far] = &bed.hosts[..] else { panic!("{} hosts", bed.hosts.len()) };
    let listener = far.namespace.within(|| TcpListener::bind((far.address, PORT))).unwrap();
    for mode in MODES {
        let connect = || TcpStream::connect(listener.local_addr()?);
        let mut client = near.namespace.within(connect).unwrap();
        client.set_nodelay(true).unwrap();
        let (mut served, _) = listener.accept().unwrap();
        let mut filter = filter(far, mode, "--counter tcp-sequence");
        // Two segments of one octet each: one of their numbers is odd.
        client.write_all(b"a").unwrap();
        client.write_all(b"b").unwrap();
        let mut seen = [false; 2];
        while seen != [true; 2] {
            let line = filter.line();
            seen = [seen[0] || line.ends_with(EVEN), seen[1] || line.ends_with(ODD)];
        }
        served.set_nonblocking(true).unwrap();
        let mut octets = [0; 2];
        match served.read(&mut octets) {
            Ok(count) => assert_eq!((count, octets[0]), (1, b'a'), "the other one is missing"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "the first one is"),
        }
        filter.stop();
        served.set_nonblocking(false).unwrap();
        served.set_read_timeout(Some(LONG)).unwrap();
        let mut last = [0];
        while last != *b"b" {
            served.read_exact(&mut last).unwrap();
        }
    }
}

const SERVERS_OF_JOBS: u64 = 3;
const THREADS: u64 = 5;

/// Has a program that lets everything pass on each port of the bridge: native XDP_TX wants that.
fn passing_ports(bed: &Bed) -> Vec<Attachment> {
    let program = Program::load(&pass::code(), Type::Xdp, &[]).unwrap();
    let hub = bed.hub.as_ref().unwrap();
    let attach = |port: &String| {
        let index = if_nametoindex(port.as_str()).map_err(std::io::Error::from)?;
        Attachment::xdp(&program, index, Mode::Native).map_err(std::io::Error::other)
    };
    hub.namespace.within(|| hub.ports.iter().map(attach).collect::<std::io::Result<_>>()).unwrap()
}

/// Reads what the balancer tells until all jobs were sent and all threads are free again.
fn until_all_is_done(balancer: &mut Running, jobs: u64) -> Vec<String> {
    let mut trace = Vec::new();
    let mut free = [0; SERVERS_OF_JOBS as usize];
    let mut sent = 0;
    while sent < jobs || free != [THREADS; SERVERS_OF_JOBS as usize] {
        let line = balancer.line();
        sent += u64::from(line.contains(" sent, job "));
        if let Some((_, about)) = line.split_once(", server ") {
            let (number, has) = about.split_once(" has ").unwrap();
            let number: usize = number.parse().unwrap();
            free[number] = has.strip_suffix(" free").unwrap().parse().unwrap();
        }
        trace.push(line);
    }
    trace
}

/// So many jobs at once that take so many seconds each: the balancer's report, and the servers'.
fn scenario(bed: &Bed, mode: &str, jobs: u64, seconds: &str) -> (Value, Vec<(Vec<String>, Value)>) {
    let [at, client, servers @ ..] = &bed.hosts[..] else { panic!("too few hosts") };
    let words = format!("balance --interface {} --mode {mode} --trace", at.interface);
    let mut balancer = Running::start(at, &words);
    assert_eq!(balancer.line(), format!("ready {} {mode}", at.interface));
    let to = format!("{}:{PORT}", at.address);
    let words = format!("jobs-server --balancer {to} --capacity {THREADS}");
    let servers = servers.iter().map(|host| Running::start(host, &words)).collect::<Vec<_>>();
    until_all_is_done(&mut balancer, 0);
    let words = format!("jobs-client --to {to} --count {jobs} 0 {seconds} {seconds}");
    Running::start(client, &words).end();
    let trace = until_all_is_done(&mut balancer, jobs);
    assert!(trace.iter().any(|line| line.ends_with(" has 4 free")), "{trace:#?}");
    let ended = servers.into_iter().map(Running::stop).collect();
    (balancer.stop().1, ended)
}

fn sum(servers: &[(Vec<String>, Value)], key: &str) -> u64 {
    servers.iter().map(|(_, report)| report[key].as_u64().unwrap()).sum()
}

#[test]
fn with_short_jobs_none_waits_and_with_long_ones_the_rest_does() {
    let Some(bed) = made(Bed::star(SERVERS_OF_JOBS as u8 + 2, 1)) else { return };
    let _ports = passing_ports(&bed);
    for mode in MODES {
        // Fewer than there are threads, and twice as many.
        for (jobs, seconds) in [(10, "0.001"), (2 * SERVERS_OF_JOBS * THREADS, "1")] {
            let (counts, servers) = scenario(&bed, mode, jobs, seconds);
            let count = |key: &str| counts[key].as_u64().unwrap();
            assert_eq!((count("submitted"), count("done")), (jobs, jobs), "{mode}: {counts:#}");
            assert_eq!((count("rejected"), count("lost")), (0, 0), "{mode}: {counts:#}");
            assert_eq!(count("queued") > 0, jobs > 10, "{mode}: {counts:#}");
            assert_eq!((sum(&servers, "done"), sum(&servers, "over_capacity")), (jobs, 0));
            let slept = |(said, report): &(Vec<String>, Value)| {
                report["done"] == 0
                    || said
                        .iter()
                        .any(|line| line.starts_with("Sleep Complete! Total Sleep Time : "))
            };
            assert!(servers.iter().all(slept), "{servers:#?}");
        }
    }
}

/// As a user who has no other process, and may have no more than eight threads.
#[test]
fn a_server_of_jobs_that_gets_no_more_threads_says_so_and_ends() {
    let mut command = Command::new(SERVERS);
    command.args(["packet", "jobs-server", "--balancer", "127.0.0.1:9", "--capacity", "64"]);
    command.uid(1_000_000 + std::process::id()).stdout(Stdio::null()).stderr(Stdio::piped());
    let few = || Ok(setrlimit(Resource::RLIMIT_NPROC, 8, 8)?);
    // SAFETY: setrlimit(2) is a system call; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(few) };
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return eprintln!("SKIPPED: {SERVERS} can't be run by another user: {error}"),
    };
    let pid = Pid::from_raw(child.id().cast_signed());
    let (ended, at_the_end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output()));
    let output = at_the_end.recv_timeout(LONG).map_err(|_| kill(pid, Signal::SIGKILL));
    let output = output.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("of 64") && said.contains("--capacity"), "{said}");
}

#[test]
fn a_program_on_an_interface_without_native_mode_says_why_it_is_not() {
    let Some(bed) = made(Bed::pair(1)) else { return };
    let mut attached = Running::start(&bed.hosts[0], "attach --program pass --interface lo");
    let why = attached.line();
    assert!(why.starts_with("generic mode: the driver of lo has no native one ("), "{why}");
    assert_eq!(attached.line(), "ready lo generic");
}
