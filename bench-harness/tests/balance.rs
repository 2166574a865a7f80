//! `bench-harness balance` from the command line to the last file, with the real methods.
//!
//! The binary `servers` is the one beside this test: `cargo build --workspace` makes it.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

#[path = "support/again.rs"]
mod again;
#[path = "support/broken.rs"]
mod broken;
#[path = "support/format.rs"]
mod format;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bench_harness::balance::live::{Live, counts};
use bench_harness::balance::published;
use bench_harness::balance::row::{Change, Cost, Move, Share, Slot, cell, methods, parse};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The folder of the programs.
fn programs() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().into()
}

fn balance(out: &Path, flags: &[&str]) -> Output {
    balance_by(&programs(), out, flags)
}

fn balance_by(programs: &Path, out: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-harness"))
        .args(["balance", "--bin-dir", programs.to_str().unwrap()])
        .args(["--out", out.to_str().unwrap()])
        .args(flags)
        .output()
        .unwrap()
}

/// The only run in the folder of results.
fn run_in(out: &Path) -> PathBuf {
    let mut runs = fs::read_dir(out.join("balance")).unwrap();
    let run = runs.next().unwrap().unwrap().path();
    assert!(runs.next().is_none());
    run
}

fn table<T: DeserializeOwned>(run: &Path, name: &str) -> Vec<T> {
    parse(&fs::read_to_string(run.join(name)).unwrap()).unwrap()
}

/// All but the two that take longest to ask for every id in a program that is not optimised.
const METHODS: &str = "ring-given,ring-modified,ketama,maglev,rendezvous,jump,anchor,bounded";
/// Those of them that a balancer goes by, and how many requests each of theirs gets: as many as the
/// published counts are of, where there are any.
const AT_WORK: [(&str, u64); 7] = [
    ("ring-given", 10_000),
    ("ring-modified", 10_000),
    ("ketama", 2_000),
    ("maglev", 2_000),
    ("rendezvous", 2_000),
    ("jump", 2_000),
    ("anchor", 2_000),
];

#[test]
fn a_try_leaves_tables_charts_and_a_report() {
    let out = tempfile::tempdir().unwrap();
    let output = balance(out.path(), &["--quick", "--methods", METHODS]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = run_in(out.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("ring-given: ids meet 87 of 512 slots"), "{said}");
    assert!(said.contains("The exact shares explain the published counts of ring-given"), "{said}");
    let manifest = fs::read_to_string(run.join("manifest.toml")).unwrap();
    assert!(manifest.contains("status = \"complete\""), "{manifest}");
    let shares = table::<Share>(&run, "shares.csv");
    shares_are_whole(&shares);
    moves_are_whole(&table(&run, "moves.csv"), &methods(&shares));
    let costs = table::<Cost>(&run, "costs.csv");
    assert_eq!(costs.len(), 2 * methods(&shares).len());
    assert!(costs.iter().all(|cost| cost.lookup_median_ns > 0.0 && cost.octets > 0));
    assert_eq!(table::<Slot>(&run, "slots.csv").len(), 2 * 512);
    balancers_have_answered(&table(&run, "live.csv"));
    figures_are_there(&run, &methods(&shares));
    assert!(said.contains("Of 60,000 requests to balancers at work none failed"), "{said}");
    what_others_published_is_in_the_page(&run);
    for name in ["shares", "moves", "costs", "slots", "live", "spreads", "fits"] {
        assert_eq!(format::unexplained(&run.join(name).with_extension("csv")), [""; 0], "{name}");
    }
}

/// Methods that `servers balance` takes, put to work with two and with three replicas: every
/// request has come to one of these.
fn balancers_have_answered(live: &[Live]) {
    for (method, requests) in AT_WORK {
        for nodes in [2, 3] {
            let counts = counts(live, method, nodes);
            assert_eq!(counts.len(), nodes as usize, "{method}");
            assert_eq!(counts.iter().sum::<u64>(), requests, "{method}, {nodes}: {counts:?}");
        }
    }
    assert!(!live.iter().any(|row| row.method == "bounded"), "it goes by loads");
    // By chance alone it would be further off once in a million runs.
    let exact = live.iter().find(|row| row.method == "ring-given" && row.nodes == 3).unwrap();
    assert_eq!(exact.expected.map(f64::round), Some(8359.0));
    assert!(exact.count.abs_diff(8359) < 5 * 37, "{exact:?}");
}

/// Among two and among three servers every key is counted once under every method.
fn shares_are_whole(shares: &[Share]) {
    assert_eq!(methods(shares).join(","), METHODS);
    for method in methods(shares) {
        for nodes in [2, 3] {
            let cell = cell(shares, method, nodes);
            assert_eq!(cell.len(), nodes as usize, "{method}");
            assert_eq!(cell.iter().map(|share| share.count).sum::<u64>(), 10_000, "{method}");
        }
    }
    let exact: Vec<_> = cell(shares, "ring-given", 3).iter().map(|s| s.expected.unwrap()).collect();
    assert_eq!(exact.iter().map(|share| share.round()).collect::<Vec<_>>(), [8359., 469., 1172.]);
}

/// A server more, and each server less, under every method; where it may be, only what must moves.
fn moves_are_whole(moves: &[Move], methods: &[&str]) {
    assert_eq!(moves.len(), methods.len() * (1 + 2 + 1 + 3));
    assert!(moves.iter().all(|row| row.moved >= row.unavoidable && row.unavoidable > 0));
    for row in moves.iter().filter(|row| ["ketama", "anchor"].contains(&row.method.as_str())) {
        assert_eq!(row.moved, row.unavoidable, "{row:?}");
    }
    for method in methods {
        let added: Vec<_> =
            moves.iter().filter(|row| row.method == *method && row.change == Change::Add).collect();
        assert_eq!(added.iter().map(|row| row.node.as_str()).collect::<Vec<_>>(), NEW, "{method}");
    }
}

/// Who comes to two servers, and who to three.
const NEW: [&str; 2] = ["Server-3", "Server-4"];

/// The counts of others stand beside those from here, as they are.
fn what_others_published_is_in_the_page(run: &Path) {
    let spreads = fs::read_to_string(run.join("spreads.csv")).unwrap();
    for method in ["ring-given", "ring-modified"] {
        for nodes in [2, 3] {
            let counts = published::counts(method, nodes);
            let (least, peak) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            let line = |line: &&str| line.starts_with(&format!("{method},published,{nodes},"));
            let line = spreads.lines().find(line).unwrap();
            assert!(line.contains(&format!(",{least}.0,{peak}.0,")), "{line}");
        }
    }
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    // 9,531 of 10,000 to one of two servers, and 8,341 to one of three.
    assert!(page.contains("| ring-given | published | 1.906 | 2.502 |"), "{page}");
    assert!(page.contains("| maglev | 3 | 2,000 |"), "{page}");
    for heading in ["when one of 3 servers goes", "when one more comes to 3 servers"] {
        assert!(page.contains(&format!("## Keys that move {heading}\n")), "{page}");
    }
}

fn figures_are_there(run: &Path, methods: &[&str]) {
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    let counts = methods.iter().map(|method| format!("counts-{method}"));
    let live = AT_WORK.map(|(method, _)| format!("live-{method}"));
    let others = ["rings", "peak-to-average", "deviation", "average-load", "price"];
    let moved = ["moved", "moved-to-new"].map(String::from);
    for name in counts.chain(live).chain(others.map(String::from)).chain(moved) {
        assert!(page.contains(&format!("plots/{name}.svg")), "{name}");
        let path = run.join("plots").join(&name);
        assert!(fs::read(path.with_extension("png")).unwrap().starts_with(b"\x89PNG"), "{name}");
        assert!(
            fs::read_to_string(path.with_extension("svg")).unwrap().contains("<text"),
            "{name}"
        );
    }
    let comes = fs::read_to_string(run.join("plots/moved-to-new.svg")).unwrap();
    assert!(comes.contains("When one more comes to 3 servers") && comes.contains("(Server-4)"));
    let rings = fs::read_to_string(run.join("plots/rings.svg")).unwrap();
    assert!(rings.contains("87 of 512 slots are met"), "the picture says why");
    assert!(page.contains("| ring-given | published |"), "{page}");
}

/// The rows are defined on either side, since the servers know nothing of what runs them. A column
/// that only one of the two has would be lost without a word.
#[test]
fn the_servers_print_the_columns_that_are_read_here() {
    same_columns::<Share>("shares");
    same_columns::<Move>("moves");
    same_columns::<Cost>("costs");
    same_columns::<Slot>("slots");
}

fn same_columns<T: DeserializeOwned + Serialize>(show: &str) {
    let line = format!(
        "place --show {show} --methods ring-given --nodes 2..2 --keys 100 --budget 1ms --format csv"
    );
    let output = Command::new(programs().join("servers")).args(line.split(' ')).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut read = csv::Writer::from_writer(Vec::new());
    let rows: Vec<T> = parse(&printed).unwrap();
    rows.iter().for_each(|row| read.serialize(row).unwrap());
    let read = String::from_utf8(read.into_inner().unwrap()).unwrap();
    assert_eq!(printed.lines().next(), read.lines().next(), "{show}");
}

#[test]
fn one_method_alone_is_enough() {
    let out = tempfile::tempdir().unwrap();
    let flags = ["--quick", "--methods", "multi-probe", "--keys", "1000", "--most", "2"];
    let output = balance(out.path(), &flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(run_in(out.path()).join("README.md")).unwrap();
    again::says_the_same(&run_in(out.path()));
    assert!(page.contains("multi-probe") && !page.contains("ring-given"), "{page}");
    // With one number of servers there is nothing to draw a line through.
    assert!(
        page.contains("counts-multi-probe.svg") && !page.contains("peak-to-average.svg"),
        "{page}"
    );
    assert!(page.contains("| multi-probe | 2 | 1,000 |"), "no more requests than keys: {page}");
}

#[test]
fn a_balancer_that_does_not_start_is_told_and_the_others_are_asked() {
    let out = tempfile::tempdir().unwrap();
    let bin = broken::failing_at("balance --method ketama --replicas 2", &programs());
    let flags = ["--quick", "--methods", "ketama", "--keys", "1000"];
    let output = balance_by(bin.path(), out.path(), &flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = run_in(out.path());
    let live = table::<Live>(&run, "live.csv");
    assert!(live.len() == 3 && live.iter().all(|row| row.nodes == 3), "{live:?}");
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    let (_, missing) = page.split_once("## What is not there\n\n* ketama, 2 replicas: ").unwrap();
    assert!(missing.lines().next().unwrap().contains("no such luck"), "{missing}");
}

#[test]
fn an_unknown_method_is_answered_with_the_names_and_leaves_nothing() {
    let out = tempfile::tempdir().unwrap();
    let output = balance(out.path(), &["--methods", "modulo"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("modulo") && words.contains("rendezvous"), "{words}");
    assert!(!out.path().join("balance").exists());
}
