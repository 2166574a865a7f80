//! `bench-harness balance` from the command line to the last file, with the real methods.
//!
//! The binary `servers` is the one beside this test: `cargo build --workspace` makes it.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bench_harness::balance::live::{Live, counts};
use bench_harness::balance::row::{Cost, Move, Share, Slot, cell, methods, parse};
use serde::de::DeserializeOwned;

fn balance(out: &Path, flags: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let folder: PathBuf = test.ancestors().nth(2).unwrap().into();
    Command::new(env!("CARGO_BIN_EXE_bench-harness"))
        .args(["balance", "--bin-dir", folder.to_str().unwrap()])
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
    assert!(said.contains("Of 40,000 requests to balancers at work none failed"), "{said}");
}

/// Two rings, put to work with two and with three replicas: every request has come to one of these.
fn balancers_have_answered(live: &[Live]) {
    for method in ["ring-given", "ring-modified"] {
        for nodes in [2, 3] {
            let counts = counts(live, method, nodes);
            assert_eq!(counts.len(), nodes as usize, "{method}");
            assert_eq!(counts.iter().sum::<u64>(), 10_000, "{method}, {nodes}: {counts:?}");
        }
    }
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
}

fn figures_are_there(run: &Path, methods: &[&str]) {
    let page = fs::read_to_string(run.join("README.md")).unwrap();
    let counts = methods.iter().map(|method| format!("counts-{method}"));
    let live = ["live-ring-given", "live-ring-modified"].map(String::from);
    let others = ["rings", "peak-to-average", "deviation", "average-load", "moved", "price"];
    for name in counts.chain(live).chain(others.map(String::from)) {
        assert!(page.contains(&format!("plots/{name}.svg")), "{name}");
        let path = run.join("plots").join(&name);
        assert!(fs::read(path.with_extension("png")).unwrap().starts_with(b"\x89PNG"), "{name}");
        assert!(
            fs::read_to_string(path.with_extension("svg")).unwrap().contains("<text"),
            "{name}"
        );
    }
    let rings = fs::read_to_string(run.join("plots/rings.svg")).unwrap();
    assert!(rings.contains("87 of 512 slots are met"), "the picture says why");
    assert!(page.contains("| ring-given | published |"), "{page}");
}

#[test]
fn one_method_alone_is_enough() {
    let out = tempfile::tempdir().unwrap();
    let flags = ["--quick", "--methods", "jump", "--keys", "1000", "--most", "2"];
    let output = balance(out.path(), &flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(run_in(out.path()).join("README.md")).unwrap();
    assert!(page.contains("jump") && !page.contains("ring-given"), "{page}");
    // With one number of servers there is nothing to draw a line through.
    assert!(page.contains("counts-jump.svg") && !page.contains("peak-to-average.svg"), "{page}");
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
