//! The files that `--out` writes.

use std::collections::BTreeSet;
use std::fs;

use crate::stage::{echo, loadgen, server, summary};
use loadgen::report::Summary;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/summary.schema.json");

#[test]
fn a_run_leaves_its_files_and_no_second_run_touches_them() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let line = format!(
        "--target tcp://{target} --connections 3 --count 4 --message hello --out {}",
        out.display()
    );
    assert!(loadgen(&line).status.success());
    let names = || -> BTreeSet<_> {
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let expected = [
        "client data - 3.csv",
        "latency.csv",
        "latency.hgrm",
        "r0.hlog",
        "summary.csv",
        "summary.json",
    ];
    assert_eq!(names(), expected.map(Into::into).into());

    let summary: Summary =
        serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!((summary.requests.answered, summary.octets_sent), (12, 60));
    assert_eq!(summary.command[1], "--target");

    let before = fs::read(out.join("summary.json")).unwrap();
    let again = loadgen(&line);
    let complaint = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("never overwritten"), "{complaint}");
    assert_eq!(fs::read(out.join("summary.json")).unwrap(), before);
    assert_eq!(names().len(), 6);
}

#[test]
fn client_data_has_a_row_for_each_connection() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let line = format!(
        "--target tcp://{target} --connections 5 --threads 2 --count 100 --size 15 --out {}",
        root.path().display()
    );
    assert!(loadgen(&line).status.success());
    let table = fs::read_to_string(root.path().join("client data - 5.csv")).unwrap();
    let mut lines = table.lines();
    let head = "requests made,data sent (bytes),average response time (sec),session duration (sec)";
    assert_eq!(lines.next(), Some(head));
    assert_eq!(lines.clone().count(), 5);
    for line in lines {
        let row: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(row[..2], [100.0, 1500.0]);
        // A hundred requests one after the other fit into the session.
        assert!(row[2] > 0.0 && row[2] * 100.0 <= row[3], "{line}");
    }
}

#[test]
fn client_data_and_summary_cover_the_same_phase() {
    let target = server(echo);
    let root = tempfile::tempdir().unwrap();
    let out = root.path().display();
    let line = format!("--target tcp://{target} --connections 4 --duration 300ms --warm-up 300ms");
    let found = summary(&format!("{line} --out {out}"));
    let table = fs::read_to_string(root.path().join("client data - 4.csv")).unwrap();
    let sum = |column: usize| -> u64 {
        let cells = table.lines().skip(1).map(|line| line.split(',').nth(column).unwrap());
        cells.map(|cell| cell.parse::<u64>().unwrap()).sum()
    };
    assert_eq!((sum(0), sum(1)), (found.requests.answered, found.octets_sent));
}

#[test]
fn text_goes_to_standard_output_and_progress_to_standard_error() {
    let target = server(echo);
    let line = format!("--target tcp://{target} --connections 2 --duration 1s --warm-up 500ms");
    let output = loadgen(&format!("{line} --progress plain"));
    let (result, progress) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(result.starts_with("target ") && result.contains(" outstanding\n"), "{result}");
    assert!(progress.lines().count() >= 1 && progress.contains("answers/s"), "{progress}");
}

/// The schema in the repository is the one of the code. After a change of the summary:
/// `UPDATE_SCHEMA=1 cargo test -p loadgen --test process schema`.
#[test]
fn the_schema_in_the_repository_is_that_of_the_summary() {
    let mut schema = serde_json::to_string_pretty(&schemars::schema_for!(Summary)).unwrap();
    schema.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(SCHEMA, &schema).unwrap();
    }
    let kept = fs::read_to_string(SCHEMA).unwrap();
    let differing = kept.lines().zip(schema.lines()).find(|(kept, current)| kept != current);
    assert_eq!(differing, None, "run it with UPDATE_SCHEMA=1");
    assert_eq!(kept.len(), schema.len(), "run it with UPDATE_SCHEMA=1");
}

#[test]
fn a_real_summary_follows_the_schema() {
    let target = server(echo);
    let schema = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for load in ["--count 20", "-R 200 --arrivals poisson -d 1s", "-d 1s --stamps"] {
        let output = loadgen(&format!("tcp://{target} -c 3 {load} --format json"));
        let mut summary = serde_json::from_slice(&output.stdout).unwrap();
        let faults: Vec<_> = schema.iter_errors(&summary).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{load}: {faults:?}");
        summary["requests"]["sent"] = "many".into();
        assert!(!schema.is_valid(&summary));
    }
}
