//! `FORMAT.md` has a line for each column of each table: of the runs that are kept, and of those
//! rows that may have got more columns since.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

#[path = "support/format.rs"]
mod format;

use std::fs;
use std::path::{Path, PathBuf};

use bench_harness::experiment::Experiment;
use bench_harness::limits::report::Row as Limits;
use bench_harness::packets::jobs::Jobs;
use bench_harness::packets::rate::Rate;
use bench_harness::packets::relay::Relay;
use bench_harness::packets::stalled::Stalled;
use bench_harness::packets::trip::Trip;
use bench_harness::waiting::row::Row as Wait;
use format::{missing, unexplained};
use serde::Serialize;

#[test]
fn each_column_of_each_kept_run_is_explained() {
    let mut tables = Vec::new();
    find_tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../results"), &mut tables);
    assert!(!tables.is_empty(), "there are runs");
    for table in tables {
        assert_eq!(unexplained(&table), [""; 0], "{}", table.display());
    }
}

fn find_tables(folder: &Path, tables: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_tables(&path, tables);
        } else if path.extension().is_some_and(|extension| extension == "csv") {
            tables.push(path);
        }
    }
}

#[test]
fn each_column_of_a_run_of_today_is_explained() {
    assert_explained::<Limits>("limits.csv");
    assert_explained::<Wait>("waits.csv");
    assert_explained::<Rate>("rates.csv");
    assert_explained::<Trip>("trips.csv");
    assert_explained::<Jobs>("jobs.csv");
    assert_explained::<Relay>("relays.csv");
    assert_explained::<Stalled>("stalls.csv");
}

fn assert_explained<Row: Default + Serialize>(table: &str) {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.serialize(Row::default()).unwrap();
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let columns = text.lines().next().unwrap().split(',').map(str::to_owned);
    assert_eq!(missing(table, columns), [""; 0], "{table}");
}

#[test]
fn a_column_that_is_not_explained_is_found() {
    let columns = ["way", "colour"].map(str::to_owned);
    assert_eq!(missing("stalls.csv", columns.into_iter()), ["colour"]);
    assert_eq!(missing("no-such.csv", ["way".to_owned()].into_iter()), ["way"]);
}

#[test]
fn each_key_of_an_experiment_is_explained() {
    let format = include_str!("../FORMAT.md");
    let (_, page) = format.split_once("## experiment.toml").unwrap();
    let page = page.split("\n## ").next().unwrap();
    let tables = [
        "",
        "[matrix]",
        "[load]",
        "[[load.fewer]]",
        "[[skip]]",
        "[proxy]",
        "[published]",
        "[[published.series]]",
        "[[published.latency]]",
    ];
    for table in tables {
        // What is refused as unknown is told what there is.
        let refusal = toml::from_str::<Experiment>(&format!("{table}\nno-such-key = 1\n"));
        let refusal = refusal.unwrap_err().to_string();
        let (_, known) = refusal.split_once("expected ").expect(&refusal);
        let known = known.split('`').skip(1).step_by(2).collect::<Vec<_>>();
        assert!(!known.is_empty(), "{refusal}");
        for key in known {
            // A table has its own row, under its name in brackets.
            let forms = ["`KEY`", "`[KEY]`", "`[[KEY]]`", ".KEY]]`"];
            let is_there = |form: &&str| page.contains(&form.replace("KEY", key));
            assert!(forms.iter().any(is_there), "{table}: {key} is missing");
        }
    }
}
