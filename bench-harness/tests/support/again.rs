//! The page of a run, made again from its tables.

use std::fs;
use std::path::Path;
use std::process::Command;

/// `bench-harness report` writes the page that the run itself wrote, to the octet.
pub(crate) fn says_the_same(run: &Path) {
    let page = run.join("README.md");
    let first = fs::read_to_string(&page).unwrap();
    fs::remove_file(&page).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_bench-harness")).arg("report").arg(run).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(&page).unwrap(), first);
}
