//! The memory ledger over real processes: every file is written, every row sums to its total, and
//! nothing stays behind, also when it is interrupted.
//!
//! What a connection costs is not asked here: other programs take and give memory meanwhile. The
//! binaries are those beside this test: `cargo build --workspace` makes them. It takes root to read
//! the kernel's counters; others see a skip with its reason.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench_harness::ledger::holder::Holder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(120);

/// Where groups of cgroup v1 and of v2 are.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];

type Row = BTreeMap<String, String>;

fn memory(out: &Path, arguments: &[&str]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_bench-harness"));
    let mut command = Command::new(program);
    command.args(["memory", "--quick", "--out"]).arg(out).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn root() -> bool {
    let root = Uid::effective().is_root() && Path::new("/proc/slabinfo").exists();
    if !root {
        eprintln!("skipped: only root may read /proc/slabinfo");
    }
    root
}

/// One run at a time may change the host, and another one does not wait for long.
fn turn() -> MutexGuard<'static, ()> {
    static HOST: Mutex<()> = Mutex::new(());
    HOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The only folder of a run.
fn run_folder(out: &Path) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(out.join("memory")).unwrap().flatten().collect();
    assert_eq!(folders.len(), 1);
    folders[0].path()
}

fn rows(path: &Path) -> Vec<Row> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

fn number(row: &Row, column: &str) -> i64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: `{}`", row[column]))
}

/// Groups of a process of this program that are there.
fn groups(pid: u32) -> Vec<PathBuf> {
    let start = format!("bench-harness-{pid}-");
    let entries = GROUPS.iter().flat_map(fs::read_dir).flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    ours.map(|entry| entry.path()).collect()
}

/// Children of a process that are there.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn finished(child: Child) -> (u32, Output) {
    (child.id(), child.wait_with_output().unwrap())
}

#[test]
fn every_file_is_there_and_every_row_sums_to_its_total() {
    if !root() {
        return;
    }
    let _turn = turn();
    let out = tempfile::tempdir().unwrap();
    let models = "thread,epoll-level,poll,iterative";
    let line = ["--models", models, "--connections", "500", "--stacks", "16KiB,1MiB"];
    let (pid, output) = finished(memory(out.path(), &line).spawn().unwrap());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert_eq!(groups(pid), Vec::<PathBuf>::new());
    let run = run_folder(out.path());
    for file in ["README.md", "manifest.toml", "objects.csv", "plots/threads.png"] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    assert!(run.join("plots/connections-500.svg").exists());
    sums(&rows(&run.join("ledger.csv")));
    stacks(&rows(&run.join("threads.csv")));
    let switches = rows(&run.join("switches.csv"));
    assert!(switches.iter().all(|row| number(row, "requests") > 0) && switches.len() == 2);
}

fn sums(ledger: &[Row]) {
    assert_eq!(ledger.len(), 4);
    for row in ledger.iter().filter(|row| row["model"] != "iterative") {
        assert_eq!(row["outcome"], "held", "{row:?}");
        let items: i64 = Holder::ALL.iter().map(|holder| number(row, holder.column())).sum();
        assert_eq!(items, number(row, "total_octets"), "{row:?}");
        // A row that other programs disturbed says so, and proves nothing more.
        if row["believed"] == "yes" {
            assert!(number(row, "sockets_octets") > 500 * 1_024, "{row:?}");
        }
    }
    let of = |model| ledger.iter().find(|row| row["model"] == model).unwrap();
    assert!(number(of("thread"), "server_threads") >= 500);
    assert!(number(of("thread"), "stacks_octets") > 500 * 4_096, "of the process alone");
    assert_eq!(of("iterative")["outcome"], "beyond");
    assert!(of("iterative")["reason"].contains("serves 1 at once"));
}

fn stacks(threads: &[Row]) {
    let each = |overflow: &str, stack: &str, column: &str| -> f64 {
        let wanted = |row: &&Row| row["overflow"] == overflow && row["stack_octets"] == stack;
        let row = threads.iter().find(wanted).unwrap();
        assert_eq!(row["outcome"], "held", "{row:?}");
        row[column].parse().unwrap()
    };
    assert_eq!(threads.len(), 4);
    let (small, large) = ("16384", "1048576");
    let more = each("handled", large, "addresses_each") - each("handled", small, "addresses_each");
    // The program has a few threads with other stacks, and stacks of threads that have ended.
    assert!((more - (1_048_576.0 - 16_384.0)).abs() < 131_072.0, "{more} more addresses");
    assert!(each("handled", large, "stack_each") < 131_072.0, "a stack is not touched as a whole");
    let mappings = |overflow| each(overflow, small, "mappings_each");
    assert!(mappings("handled") - mappings("ignored") > 1.5, "the stack for signals is gone");
}

#[test]
fn an_interrupted_run_leaves_neither_process_nor_group() {
    if !root() {
        return;
    }
    let _turn = turn();
    let out = tempfile::tempdir().unwrap();
    let line = ["--models", "epoll-level", "--connections", "200,300,400,500,600,700,800,900"];
    let child = memory(out.path(), &line).spawn().unwrap();
    let pid = child.id();
    let deadline = Instant::now() + LONG;
    let middle = loop {
        let children = children(pid);
        // The warden, the server and the load generator.
        if children.len() >= 3 {
            break children;
        }
        assert!(Instant::now() < deadline, "no trial has begun");
        sleep(Duration::from_millis(5));
    };
    kill(Pid::from_raw(pid as i32), Signal::SIGINT).unwrap();
    let (_, output) = finished(child);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
    for child in middle {
        assert!(!Path::new(&format!("/proc/{child}")).exists(), "{child} is left");
    }
    assert_eq!(groups(pid), Vec::<PathBuf>::new());
    let manifest = fs::read_to_string(run_folder(out.path()).join("manifest.toml")).unwrap();
    assert!(manifest.contains("status = \"partial\""), "{manifest}");
}

#[test]
fn wrong_usage_is_status_2_and_starts_nothing() {
    let out = tempfile::tempdir().unwrap();
    for line in [["--models", "epol"], ["--stacks", "8MB"], ["--connections", "0"]] {
        let (_, output) = finished(memory(out.path(), &line).spawn().unwrap());
        assert_eq!(output.status.code(), Some(2), "{line:?}");
    }
    assert!(!out.path().join("memory").exists());
}
