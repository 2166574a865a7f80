//! Replicas that are slow to stop, and a stop that waits for nobody.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod balancer;

use std::thread;
use std::time::Duration;

use balancer::{Balancer, change, eventually, lives};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_stop_does_not_wait_for_a_replica_that_accepts_and_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let flags = ["--start-timeout", "10m", "--request-timeout", "300ms"];
    let mut balancer = Balancer::start_moody(&flags);
    balancer.set_mute(silent.local_addr().unwrap());
    let address = balancer.address;
    let add = move || change(address, "POST /add", r#"{"n": 1}"#);
    let adding = thread::spawn(move || std::panic::catch_unwind(add));
    // Somebody has asked it for its first heartbeat, and waits for the answer.
    let _asked = silent.accept().unwrap();
    balancer.signal(Signal::SIGTERM);
    balancer.signal(Signal::SIGINT);
    assert!(balancer.wait().success());
    // It may have been told, or cut off.
    let _ = adding.join().unwrap();
}

/// Whether a process has been sent SIGTERM and is stopped, so that it has not had it yet: the set
/// of signals that wait for the whole process (proc_pid_status(5)).
fn is_told_to_stop(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let waiting = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    let waiting = u64::from_str_radix(waiting.unwrap_or("0").trim(), 16).unwrap();
    waiting & (1 << (Signal::SIGTERM as u64 - 1)) != 0
}

/// Removes all replicas, which are too frozen to stop by themselves, and lets those go that have
/// been told to stop, batch by batch; each must be as large as `batches` say.
fn stops_come_in_batches(flags: &[&str], batches: &[usize]) {
    let slow = ["--stop-timeout", "10m", "--heartbeat-interval", "10m"];
    let count = batches.iter().sum::<usize>();
    let replicas = ["--replicas", &count.to_string()];
    let balancer = Balancer::start(&[&slow[..], &replicas, flags].concat());
    let frozen = balancer.children();
    assert_eq!(frozen.len(), count);
    frozen.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP).unwrap());
    let told = || frozen.iter().copied().filter(|pid| is_told_to_stop(*pid)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let removing = scope.spawn(|| balancer.remove(&format!(r#"{{"n": {count}}}"#)).0);
        for batch in batches {
            eventually("a batch is told", || told().len() == *batch);
            thread::sleep(Duration::from_millis(100));
            let leaving = told();
            assert_eq!(leaving.len(), *batch, "the others have to wait for their turn");
            leaving.iter().for_each(|pid| kill(*pid, Signal::SIGCONT).unwrap());
            eventually("they have gone", || !leaving.iter().any(|pid| lives(*pid)));
        }
        assert_eq!(removing.join().unwrap(), 200);
    });
    assert_eq!(balancer.children(), []);
}

#[test]
fn stops_come_in_batches_of_the_size_that_the_flag_says() {
    stops_come_in_batches(&["--batch", "2"], &[2, 2, 1]);
}

#[test]
fn stops_come_in_batches_of_ten_unless_a_flag_says_otherwise() {
    stops_come_in_batches(&[], &[10, 3]);
}
