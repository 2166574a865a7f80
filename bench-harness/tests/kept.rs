//! Runs of every kind can be read back, drawn again and reported again, also when they were made by
//! an earlier version.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bench_harness::fault::Usage;
use bench_harness::kept;

/// The newest run of an experiment among those that are kept with the code.
fn newest(experiment: &str) -> PathBuf {
    let folder = results().join(experiment);
    let runs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    runs.max().unwrap()
}

/// What `scripts/keep` kept is the words of a script: a page, and no run that could be drawn again.
fn is_of_a_script(folder: &Path) -> bool {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    scripts.join(folder.file_name().unwrap()).is_file()
}

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../results")
}

fn bench_harness(command: &str, run: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench-harness")).arg(command).arg(run).output().unwrap()
}

/// The files of a run, without its charts.
fn copy(run: &Path, to: &Path) {
    for entry in fs::read_dir(run).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn each_run_that_is_kept_has_its_page_again() {
    let mut kinds = 0;
    for experiment in fs::read_dir(results()).unwrap().map(|entry| entry.unwrap().path()) {
        if !experiment.is_dir() {
            continue;
        }
        kinds += 1;
        for run in fs::read_dir(&experiment).unwrap().map(|entry| entry.unwrap().path()) {
            if is_of_a_script(&experiment) {
                let page = fs::read_to_string(run.join("README.md")).unwrap();
                assert!(page.contains("\n| exit status | "), "{}", run.display());
                continue;
            }
            match kept::read(&run) {
                Ok(kept) => assert!(kept.page(&[]).starts_with("# "), "{}", run.display()),
                Err(error) => {
                    let known = error.is::<Usage>() && experiment.ends_with("memory");
                    assert!(known, "{}: {error:#}", run.display());
                }
            }
        }
    }
    assert!(kinds > 9, "{kinds}");
}

#[test]
fn charts_and_page_are_made_again_where_there_are_none() {
    for (experiment, chart) in [("limits", "limits"), ("packets", "rates-live")] {
        let folder = tempfile::tempdir().unwrap();
        copy(&newest(experiment), folder.path());
        fs::remove_file(folder.path().join("README.md")).unwrap();
        let output = bench_harness("report", folder.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = fs::read_to_string(folder.path().join("README.md")).unwrap();
        assert!(page.contains(&format!("(plots/{chart}.svg)")), "{page}");
        let chart = folder.path().join("plots").join(chart);
        assert!(fs::read(chart.with_extension("png")).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn what_is_no_run_or_can_not_be_drawn_again_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (run, words) in [(folder.path(), "no manifest.toml"), (&newest("memory"), "is measured")] {
        let output = bench_harness("plot", run);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
