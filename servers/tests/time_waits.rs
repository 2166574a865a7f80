//! `servers time-waits`: what it promises to programs.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::process::{Command, Output};

use process::SERVERS;
use serde_json::Value;
use servers::cost::WAITERS;

fn time_waits(flags: &[&str]) -> Output {
    Command::new(SERVERS).arg("time-waits").args(flags).output().unwrap()
}

fn rows(flags: &[&str]) -> Vec<Value> {
    let short = ["--format", "json", "--rounds", "20", "--passes", "2", "--budget", "1ms"];
    let output = time_waits(&[flags, &short].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_poller_is_listed_and_measures_each_condition_in_each_pass() {
    let listed = String::from_utf8(time_waits(&["--list"]).stdout).unwrap();
    assert!(listed.lines().eq(WAITERS.iter().map(|waiter| waiter.name)));
    for poller in listed.lines() {
        let rows = rows(&["--poller", poller, "--idle", "0,30", "--active", "1,5"]);
        assert_eq!(rows.len(), 2 * 2 * 2, "{poller}");
        for row in &rows {
            assert_eq!((&row["poller"], &row["tables"]), (&poller.into(), &1.into()));
            assert!(row["rounds"].as_u64().unwrap() >= 16);
            let ns = |name: &str| row[name].as_f64().unwrap();
            assert!(0.0 < ns("wait_q05_ns") && ns("wait_q05_ns") <= ns("wait_median_ns"), "{row}");
            assert!(ns("wait_median_ns") <= ns("wait_q95_ns") && ns("clock_ns") > 0.0, "{row}");
            assert_eq!(row["rearm_median_ns"].is_null(), poller != "epoll-oneshot", "{row}");
        }
        let each = |pass: u64| rows.iter().filter(move |row| row["pass"] == pass).count();
        assert_eq!((each(1), each(2)), (4, 4));
    }
}

#[test]
fn select_ends_at_its_ceiling_with_a_reason_and_measures_what_is_below() {
    let rows = rows(&["--poller", "select", "--idle", "900,1100", "--active", "1"]);
    let (skipped, measured): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["rounds"] == 0);
    assert_eq!((skipped.len(), measured.len()), (1, 2));
    assert_eq!((&skipped[0]["idle"], &skipped[0]["skipped"]), (&1100.into(), &"ceiling".into()));
    assert!(skipped[0]["note"].as_str().unwrap().contains("1024"));
    assert!(measured.iter().all(|row| row["highest_fd"].as_u64().unwrap() < 1024));
}

/// With a descriptor limit that five hundred connections do not fit into.
fn with_400_descriptors(poller: &str) -> Vec<Value> {
    let line = ["--nofile=400:400", SERVERS, "time-waits", "--poller", poller, "--idle", "50,500"];
    let short = ["--format", "json", "--rounds", "20", "--passes", "1"];
    let output = Command::new("prlimit").args(line).args(short).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn poll_ends_with_the_table_and_epoll_goes_on_in_others() {
    let find = |rows: &[Value]| rows.iter().find(|row| row["idle"] == 500).unwrap().clone();
    let poll = find(&with_400_descriptors("poll"));
    assert_eq!((&poll["skipped"], &poll["rounds"]), (&"table".into(), &0.into()));
    assert!(poll["note"].as_str().unwrap().contains("400 (RLIMIT_NOFILE)"), "{poll}");
    for poller in ["epoll-level", "epoll-edge", "epoll-oneshot", "portable"] {
        let row = find(&with_400_descriptors(poller));
        assert!(row["tables"].as_u64().unwrap() >= 3 && row["rounds"] == 20, "{row}");
    }
}

#[test]
fn wrong_usage_says_what_is_right() {
    let words = |status: i32, flags: &[&str]| {
        let output = time_waits(flags);
        assert_eq!(output.status.code(), Some(status));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(words(2, &[]).contains("--poller"));
    assert!(words(2, &["--poller", "kqueue"]).contains("epoll-level, epoll-edge"));
    assert!(words(2, &["--poller", "poll", "--active", "257"]).contains("256"));
    assert!(words(2, &["--poller", "poll", "--active", "0"]).contains("between 1"));
    let beyond = words(1, &["--poller", "poll", "--idle", "11", "--idle-max", "10"]);
    assert!(beyond.contains("raise that"), "{beyond}");
}
