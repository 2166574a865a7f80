//! `bench-harness packets` from the command line to the last file, on hosts of its own.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them. It takes root to
//! make network namespaces; others see a skip with its reason. How fast anything is, is not asked.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

#[path = "support/again.rs"]
mod again;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench_harness::packets::relay::TOO_FEW;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(120);
/// A user who may do nothing.
const NOBODY: u32 = 65_534;

type Row = BTreeMap<String, String>;

fn packets(out: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder: PathBuf = test.ancestors().nth(2).unwrap().into();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-harness"));
    command.args(["packets", "--quick", "--bin-dir"]).arg(folder).arg("--out").arg(out);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether this is root; says loudly that a test proves nothing when it is not.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root may make network namespaces");
    }
    root
}

/// The only run in the folder of results.
fn run_in(out: &Path) -> PathBuf {
    let runs: Vec<_> = fs::read_dir(out.join("packets")).unwrap().flatten().collect();
    assert_eq!(runs.len(), 1);
    runs[0].path()
}

fn rows(path: &Path) -> Vec<Row> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_try_leaves_rows_statements_charts_and_a_report() {
    if !root() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let output = packets(out.path()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let run = run_in(out.path());
    let rates = rows(&run.join("rates.csv"));
    let named: BTreeSet<_> = rates.iter().map(|row| (&row["way"], &row["generator"])).collect();
    assert_eq!((named.len(), rates.len()), (16, 16), "eight ways and two generators\n{words}");
    rates.iter().for_each(whole);
    let checks = rows(&run.join("checks.csv"));
    let broken = checks.iter().find(|row| row["verdict"] != "held");
    assert!(broken.is_none() && checks.len() > 20, "{broken:?}\n{words}");
    relayed(&run);
    for (figure, label) in FIGURES {
        let figure = run.join("plots").join(figure);
        assert!(fs::read_to_string(figure.with_extension("svg")).unwrap().contains(label));
        assert!(fs::read(figure.with_extension("png")).unwrap().starts_with(b"\x89PNG"));
    }
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    assert!(page.contains("was expected to take in at least 8.0 ×"), "{page}");
    let manifest = fs::read_to_string(run.join("manifest.toml")).unwrap();
    assert!(manifest.contains("status = \"complete\""), "{manifest}");
    again::says_the_same(&run);
}

/// Every figure, and what some row of it is called.
const FIGURES: [(&str, &str); 6] = [
    ("rates-live", "UDP recv"),
    ("rates-datagrams", "UDP recv"),
    ("costs", "UDP recv"),
    ("trips", "UDP recv"),
    ("relay-small", "sockmap"),
    ("relay-bulk", "sockmap"),
];

/// Every relay brought everything back as it was, and only sockmap never stops a sender.
fn relayed(run: &Path) {
    let relays = rows(&run.join("relays.csv"));
    assert_eq!(relays.len(), 6);
    for row in relays {
        assert_eq!(row["errors"], "0", "{row:?}");
        // On a busy host a try may be over before enough messages are back.
        if !row["reason"].ends_with(TOO_FEW) {
            assert_eq!(row["outcome"], "ok", "{row:?}");
            assert!(row["exchanges"].parse::<u64>().unwrap() > 0, "{row:?}");
        }
    }
    let stalls = rows(&run.join("stalls.csv"));
    let stopped: Vec<_> = stalls.iter().map(|row| (&*row["way"], &*row["stopped"])).collect();
    assert_eq!(stopped, [("copy", "true"), ("splice", "true"), ("sockmap", "false")]);
}

/// Each row was measured, says who was the limit, and has no more packets than there were.
fn whole(row: &Row) {
    let number = |column: &str| row[column].parse::<f64>().unwrap();
    assert_eq!(row["outcome"], "ok", "{row:?}");
    assert!(["receiver", "generator", "shared-cpu"].contains(&row["limit"].as_str()), "{row:?}");
    assert!(number("handled") > 0.0 && number("handled") <= number("sent"), "{row:?}");
    assert!(number("sent") <= number("offered"), "{row:?}");
}

#[test]
fn without_the_right_every_row_says_what_is_missing() {
    if !root() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(out.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = packets(out.path());
    let Ok(output) = command.uid(NOBODY).gid(NOBODY).output() else {
        eprintln!("SKIPPED: another user may not read the program that is tested");
        return;
    };
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("no right to make network namespaces: run this as root"), "{words}");
    let rates = rows(&run_in(out.path()).join("rates.csv"));
    assert_eq!(rates.len(), 16);
    assert!(rates.iter().all(|row| row["outcome"] == "skipped" && row["reason"].contains("root")));
}

/// Network namespaces that a process is in or has descriptors of.
fn networks_of(pid: u32) -> Vec<PathBuf> {
    let place = fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).chain(place);
    links.filter(|link| link.to_string_lossy().starts_with("net:[")).collect()
}

/// Those of the descendants of a process that are not this test's own.
fn namespaces(of: u32) -> BTreeSet<PathBuf> {
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let all = descendants(of).into_iter().flat_map(networks_of);
    all.filter(|link| *link != own).collect()
}

fn descendants(of: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    let children = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    children.flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

/// Whether any process of this host is in one of these namespaces, or holds one.
fn held(namespaces: &BTreeSet<PathBuf>) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.any(|pid| networks_of(pid).iter().any(|link| namespaces.contains(link)))
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {} s", LONG.as_secs());
        sleep(Duration::from_millis(5));
    }
}

fn started(out: &Path) -> (Child, BTreeSet<PathBuf>) {
    let child = packets(out).spawn().unwrap();
    let mut found = BTreeSet::new();
    until("two hosts", || {
        found = namespaces(child.id());
        found.len() >= 2
    });
    (child, found)
}

/// The kernel takes a namespace down, with its interfaces, when nobody is in it nor holds it.
#[test]
fn being_killed_leaves_no_namespace_behind() {
    if !root() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let (mut child, found) = started(out.path());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    until("nobody holds a namespace", || !held(&found));
}

#[test]
fn an_interrupted_run_is_kept_and_leaves_no_namespace_behind() {
    if !root() {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let (child, found) = started(out.path());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output: Output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("interrupted; what was done is kept in"), "{words}");
    until("nobody holds a namespace", || !held(&found));
    let manifest = fs::read_to_string(run_in(out.path()).join("manifest.toml")).unwrap();
    assert!(manifest.contains("status = \"partial\""), "{manifest}");
}
