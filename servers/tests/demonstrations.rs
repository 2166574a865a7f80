//! `servers demonstrate fd-setsize`: each way ends as it must, and nothing is left behind; and
//! `servers demonstrate triggers`: each trigger tells what epoll(7) says, and nothing else.

#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod process;

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{SERVERS, eventually};
use serde_json::{Value, json};

fn demonstrate(by: &[&str], format: &str) -> Output {
    let line = [by, &["demonstrate", "fd-setsize", "--format", format]].concat();
    Command::new(line[0]).args(&line[1..]).output().unwrap()
}

fn triggers(format: &str) -> Output {
    let line = ["demonstrate", "triggers", "--format", format];
    let output = Command::new(SERVERS).args(line).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    output
}

/// The number that follows `words`.
fn number(evidence: &str, words: &str) -> u64 {
    let (_, rest) = evidence.split_once(words).unwrap_or_else(|| panic!("{words} in {evidence}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

/// What came of a way, and the evidence.
fn find<'a>(report: &'a Value, way: &str) -> (&'a Value, &'a str) {
    let rows = report["ways"].as_array().unwrap();
    let row = rows.iter().find(|row| row["way"] == way).unwrap();
    (&row["outcome"], row["evidence"].as_str().unwrap())
}

#[test]
fn each_way_ends_as_it_must() {
    let output = demonstrate(&[SERVERS], "json");
    let report = serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let fine = json!({"kind": "exited", "status": 0});
    let aborted = json!({"kind": "killed", "signal": "SIGABRT"});
    assert_eq!(report["ways"].as_array().unwrap().len(), 6);

    let (outcome, evidence) = find(&report, "unchecked");
    let (bit, octet) = (number(evidence, "bit "), number(evidence, "went into octet "));
    assert_eq!(outcome, &fine, "nobody notices");
    assert!((128..256).contains(&octet), "{octet} is the neighbour's");
    assert_eq!(octet, bit / 8, "it is where the number points: {evidence}");
    assert!(evidence.ends_with(&format!("became {:#04x}", 1 << (bit % 8))), "{evidence}");

    if cfg!(target_env = "gnu") {
        let (outcome, evidence) = find(&report, "fortified");
        assert_eq!(outcome, &aborted);
        assert!(evidence.starts_with("*** ") && evidence.contains("terminated"), "{evidence}");
    }

    let (outcome, evidence) = find(&report, "libc");
    assert_eq!(outcome, &aborted, "no panic leaves a function of C");
    assert!(evidence.contains("1500"), "{evidence}");

    let (outcome, evidence) = find(&report, "nix");
    assert_eq!(outcome, &json!({"kind": "exited", "status": 101}));
    assert!(evidence.contains("FD_SETSIZE"), "{evidence}");

    let (outcome, evidence) = find(&report, "select");
    let served = number(evidence, "of 1500 clients ");
    assert_eq!((outcome, number(evidence, "accepted ")), (&fine, served));
    assert_eq!(number(evidence, "refused "), 1_500 - served);
    assert_eq!(number(evidence, "highest descriptor: "), 1_023);

    let (outcome, evidence) = find(&report, "select-wide");
    assert_eq!((outcome, number(evidence, "of 1500 clients ")), (&fine, 1_500));
    assert_eq!((number(evidence, "accepted "), number(evidence, "refused ")), (1_500, 0));
    assert!(number(evidence, "highest descriptor: ") >= 1_500, "{evidence}");
}

#[test]
fn people_get_a_table_and_an_explanation() {
    let output = demonstrate(&[SERVERS], "table");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (table, explanation) = text.split_once("\n\n").unwrap();
    let column = table.find("evidence").unwrap();
    let starts =
        |line: &str| line.as_bytes()[column - 1] == b' ' && line.as_bytes()[column] != b' ';
    assert!(table.lines().count() == 7 && table.lines().all(starts), "{table}");
    assert!(explanation.contains("C library") && explanation.contains("kernel"), "{explanation}");
}

#[test]
fn too_low_a_limit_is_said_before_anything_is_shown() {
    let output = demonstrate(&["prlimit", "--nofile=1400", "--", SERVERS], "table");
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(output.stdout.is_empty() && words.contains("hard limit is 1400"), "{words}");
}

/// The first child of that process which is a server.
fn server_of(parent: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let is_server = |child: &&str| {
        let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split(|&octet| octet == 0).any(|word| word == b"run")
    };
    let child = children.split_whitespace().find(is_server)?;
    Some(Pid::from_raw(child.parse().unwrap()))
}

/// Whether a process exists and is not only waiting for somebody to take note of its end.
fn lives(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A demonstration that is held where one of its servers runs; none, if it was over too soon.
fn held() -> Option<(Child, Pid)> {
    let line = ["demonstrate", "fd-setsize"];
    let mut parent = Command::new(SERVERS).args(line).stdout(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(parent.id().cast_signed());
    while parent.try_wait().unwrap().is_none() {
        if let Some(server) = server_of(pid) {
            kill(pid, Signal::SIGSTOP).unwrap();
            if lives(server) {
                return Some((parent, server));
            }
            kill(pid, Signal::SIGCONT).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

#[test]
fn its_processes_leave_no_core_and_die_with_it() {
    let mut caught = None;
    eventually("a server is caught while it runs", || {
        caught = held();
        caught.is_some()
    });
    let (mut parent, server) = caught.unwrap();
    let limits = fs::read_to_string(format!("/proc/{server}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the server is gone, too", || !lives(server));
}

/// Socket, trigger, habit: wake-ups, calls in vain, what is left waiting.
type Case = (&'static str, &'static str, &'static str, u64, u64, u64);

/// Triggers that suit: everything is served.
const SUITABLE: [Case; 13] = [
    ("listener, 3 clients", "level", "accepts one", 3, 0, 0),
    ("listener, 3 clients", "edge", "accepts until EAGAIN", 1, 1, 0),
    ("listener, 3 clients", "one-shot, re-armed", "accepts one", 3, 0, 0),
    ("14 octets unread", "level", "reads once", 1, 0, 0),
    ("14 octets unread", "edge", "reads until EAGAIN", 1, 1, 0),
    ("14 octets unread, then 14", "one-shot, re-armed", "reads once", 2, 0, 0),
    ("64 octets unread", "level", "reads 16 octets", 4, 0, 0),
    ("64 octets unread", "edge", "reads until EAGAIN", 1, 1, 0),
    ("64 octets unread", "one-shot, re-armed", "reads 16 octets", 4, 0, 0),
    ("end of input", "edge", "reads, and does not close", 1, 1, 0),
    ("2 threads, 7 octets, then 7", "one-shot, re-armed", "each that is told reads once", 1, 0, 0),
    ("room to write", "edge", "writes all 64 octets", 1, 0, 0),
    ("full, emptied 3 times", "edge", "writes until EAGAIN", 3, 3, 0),
];

/// Triggers that leave somebody waiting whom nobody is told of.
const SILENT: [Case; 9] = [
    ("listener, 3 clients", "edge", "accepts one", 1, 0, 2),
    ("listener, 3 clients, then 1", "edge", "accepts one", 2, 0, 2),
    ("listener, 3 clients", "one-shot", "accepts one", 1, 0, 2),
    ("14 octets unread", "edge", "does not read", 1, 0, 14),
    ("14 octets unread, then 14", "one-shot", "reads once", 1, 0, 14),
    ("64 octets unread", "edge", "reads 16 octets", 1, 0, 48),
    ("64 octets unread, then 64", "edge", "reads 16 octets", 2, 0, 96),
    ("64 octets unread", "one-shot", "reads 16 octets", 1, 0, 48),
    ("room to write", "edge", "writes 16 of 64 octets", 1, 0, 48),
];

/// Triggers that wake somebody for nothing; ten times is without an end.
const SPURIOUS: [Case; 7] = [
    ("14 octets unread", "level", "does not read", 10, 0, 14),
    ("end of input", "level", "reads, and does not close", 10, 10, 0),
    ("2 threads, 7 octets, then 7", "level", "each that is told reads once", 2, 1, 0),
    ("2 threads, 7 octets, then 7", "edge", "each that is told reads once", 2, 1, 0),
    ("listener in 2 sets, 1 client", "level", "each that is told accepts one", 2, 1, 0),
    ("listener in 2 sets, 1 client", "one-shot", "each that is told accepts one", 2, 1, 0),
    ("room to write", "level", "has nothing to write", 10, 0, 0),
];

#[test]
fn each_trigger_tells_what_epoll_says_and_nothing_else() {
    let report = serde_json::from_slice::<Value>(&triggers("json").stdout).unwrap();
    let rows = report["cases"].as_array().unwrap();
    let expected = [&SUITABLE[..], &SILENT, &SPURIOUS].concat();
    assert_eq!(rows.len(), expected.len());
    for (socket, trigger, deed, wakeups, in_vain, left) in expected {
        let is_it = |row: &&Value| {
            row["socket"] == socket && row["trigger"] == trigger && row["deed"] == deed
        };
        let row =
            rows.iter().find(is_it).unwrap_or_else(|| panic!("no {socket}, {trigger}, {deed}"));
        let seen = ["wakeups", "in_vain", "left"].map(|key| row[key].as_u64().unwrap());
        assert_eq!(seen, [wakeups, in_vain, left], "{row:#}");
        let endless = row["waits"] == report["waits_max"];
        assert_eq!(endless, wakeups == 10, "{row:#}");
    }
}

#[test]
fn triggers_are_shown_to_people_and_to_spreadsheets() {
    let text = String::from_utf8(triggers("table").stdout).unwrap();
    let (table, explanation) = text.split_once("\n\n").unwrap();
    let cases = SUITABLE.len() + SILENT.len() + SPURIOUS.len();
    assert_eq!(table.lines().count(), 1 + cases);
    assert!(table.contains("2 connections") && table.contains("48 octets"), "{table}");
    assert!(explanation.contains("EAGAIN"), "{explanation}");

    let csv = triggers("csv").stdout;
    let mut lines = csv::Reader::from_reader(csv.as_slice());
    assert_eq!(&lines.headers().unwrap()[4], "wake-ups");
    assert_eq!(lines.records().map(Result::unwrap).count(), cases);
}
