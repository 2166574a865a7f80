//! `bench-harness waiting` from the command line to the last file, with real pollers.
//!
//! The binary `servers` is the one beside this test: `cargo build --workspace` makes it.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

#[path = "support/again.rs"]
mod again;
#[path = "support/broken.rs"]
mod broken;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bench_harness::waiting::row::{Row, parse};

/// The folder of the programs.
fn programs() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().into()
}

fn waiting(out: &Path, flags: &[&str]) -> Output {
    waiting_by(&programs(), out, flags)
}

fn waiting_by(programs: &Path, out: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-harness"))
        .args(["waiting", "--bin-dir", programs.to_str().unwrap()])
        .args(["--out", out.to_str().unwrap()])
        .args(flags)
        .output()
        .unwrap()
}

/// The only run in the folder of results.
fn run_in(out: &Path) -> PathBuf {
    let mut runs = fs::read_dir(out.join("waiting")).unwrap();
    let run = runs.next().unwrap().unwrap().path();
    assert!(runs.next().is_none());
    run
}

#[test]
fn a_try_leaves_rows_fits_charts_and_a_report() {
    let out = tempfile::tempdir().unwrap();
    let output = waiting(out.path(), &["--quick", "--idle-max", "200"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = run_in(out.path());
    for name in ["manifest.toml", "waits.csv", "fit.csv", "README.md"] {
        assert!(fs::metadata(run.join(name)).unwrap().len() > 100, "{name}");
    }
    for name in ["by-idle", "by-active"].map(|name| run.join("plots").join(name)) {
        let svg = fs::read_to_string(name.with_extension("svg")).unwrap();
        assert!(svg.contains("epoll-edge") && svg.contains("poll"), "{svg}");
        assert!(fs::read(name.with_extension("png")).unwrap().starts_with(b"\x89PNG"));
    }
    let manifest = fs::read_to_string(run.join("manifest.toml")).unwrap();
    assert!(manifest.contains("status = \"complete\""), "{manifest}");
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    assert!(page.contains("| epoll-oneshot |") && page.contains("95 % interval of b"), "{page}");
    rows_are_whole(&parse(&fs::read_to_string(run.join("waits.csv")).unwrap()).unwrap());
}

/// Each poller has each condition once in each pass: idle 0, 10, 30, 60, 100, 200; active 1, 4, 16.
fn rows_are_whole(rows: &[Row]) {
    let pollers: BTreeSet<_> = rows.iter().map(|row| row.poller.as_str()).collect();
    let all = rows.iter().map(|row| (row.poller.as_str(), row.pass, row.idle, row.active));
    assert_eq!(all.clone().count(), pollers.len() * 3 * 6 * 3);
    assert_eq!(all.collect::<BTreeSet<_>>().len(), rows.len());
    assert!(rows.iter().all(|row| row.wait_middle_mean_ns.unwrap() > 0.0 && row.rounds >= 16));
}

/// The row is defined on either side, since the servers know nothing of what runs them. A column
/// that only one of the two has would be lost without a word.
#[test]
fn the_servers_print_the_columns_that_are_read_here() {
    let line = "time-waits --poller poll --idle 0 --active 1 --idle-max 0 --passes 1 --rounds 1 \
                --format csv";
    let output = Command::new(programs().join("servers")).args(line.split(' ')).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut read = csv::Writer::from_writer(Vec::new());
    read.serialize(Row::default()).unwrap();
    let read = String::from_utf8(read.into_inner().unwrap()).unwrap();
    assert_eq!(printed.lines().next(), read.lines().next());
}

#[test]
fn select_alone_says_where_it_ends() {
    let out = tempfile::tempdir().unwrap();
    let output = waiting(out.path(), &["--quick", "--idle-max", "2000", "--pollers", "select"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(run_in(out.path()).join("README.md")).unwrap();
    again::says_the_same(&run_in(out.path()));
    let sentence = page.lines().find(|line| line.starts_with("* select has no number")).unwrap();
    assert!(sentence.contains("descriptors must be below 1024"), "{sentence}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("One wait of select costs "), "{said}");
}

#[test]
fn a_poller_that_fails_is_a_row_and_the_others_are_timed() {
    let (out, bin) =
        (tempfile::tempdir().unwrap(), broken::failing_at("--poller poll", &programs()));
    let flags = ["--quick", "--idle-max", "60", "--pollers", "poll,epoll-edge"];
    let output = waiting_by(bin.path(), out.path(), &flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = run_in(out.path());
    let rows = parse(&fs::read_to_string(run.join("waits.csv")).unwrap()).unwrap();
    let failed: Vec<_> = rows.iter().filter(|row| row.poller == "poll").collect();
    assert_eq!((failed.len(), failed[0].is_failed()), (1, true), "{failed:?}");
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    assert!(
        page.contains("* poll could not be timed: ") && page.contains("no such luck"),
        "{page}"
    );
    assert!(page.contains("| epoll-edge |"), "{page}");
}

#[test]
fn an_unknown_poller_is_answered_with_the_names_and_leaves_nothing() {
    let out = tempfile::tempdir().unwrap();
    let output = waiting(out.path(), &["--pollers", "kqueue"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("kqueue") && words.contains("epoll-level"), "{words}");
    assert!(!out.path().join("waiting").exists());
}
