//! Each limit of the host made to bind on a real server, at a small size; and the host as it was
//! afterwards, however the harness ends.
//!
//! What is measured is a success and a failure next to each other, so a prediction that is right
//! here is right about the kernel, not about itself. The binaries are those beside this test:
//! `cargo build --workspace` makes them. What takes root says so, and is skipped without it.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bench_harness::experiment::App;
use bench_harness::launch::pinning::Pinning;
use bench_harness::launch::process::Binaries;
use bench_harness::limits::record::Recorder;
use bench_harness::limits::report::{Row, TOLERANCE_PERCENT};
use bench_harness::limits::seek::Search;
use bench_harness::limits::survey::{Depth, Raise, Survey, Turn};
use bench_harness::limits::trial::Trial;
use bench_harness::restraint::Sysctl;
use bench_harness::results::Scratch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(60);

/// Tests that take turns: one run at a time changes the host, and the numbers of threads and users
/// that a limit counts are those of all tests.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is root; says loudly that a test proves nothing when it is not.
fn root(what: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED, takes root: {what}");
    }
    root
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().into()
});

/// `bench-harness limits` with these arguments, writing to `out`.
fn limits(arguments: &str, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-harness"));
    command.args(["--bin-dir".as_ref(), FOLDER.as_os_str(), "limits".as_ref()]);
    command.args(arguments.split_whitespace());
    command.arg("--out").arg(out).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What comes out for one model. Another run that changes the host, such as a developer's, is
/// waited for.
fn survey(model: &str, under: &str) -> Row {
    let out = tempfile::tempdir().unwrap();
    let binaries = Binaries::find(Some(&FOLDER)).unwrap();
    let model = binaries.models().unwrap().into_iter().find(|row| row.name == model).unwrap();
    let trial = Trial {
        model: String::new(),
        app: App::Echo,
        tables: None,
        options: Vec::new(),
        patience: Duration::from_secs(2),
        longest: LONG,
        objective: None,
    };
    let survey = Survey {
        binaries,
        pinning: Pinning::of_this_host().unwrap(),
        program: env!("CARGO_BIN_EXE_bench-harness").into(),
        scratch: Scratch::new().unwrap(),
        trial,
        search: Search { first: 64, most: 5_000, grain: 0.01, hint: None },
        under: under.parse().unwrap(),
        raise: Raise::Nothing,
        depth: Depth::Measure,
        patience: LONG,
    };
    let turn = Turn { number: 1, of: 1, until: Instant::now() + 2 * LONG };
    let mut recorder = Recorder::create(out.path(), "run").unwrap();
    let row = survey.model(&model, turn, &mut recorder).unwrap();
    eprintln!("{row:?}");
    row
}

/// The prediction is right about the limit and the number, and this is what stopped the clients.
fn check(model: &str, under: &str, limit: &str, stopped_by: &str) -> Row {
    let row = survey(model, under);
    assert_eq!(row.predicted_limit, limit, "{row:?}");
    assert_eq!(row.stopped_by, stopped_by, "{row:?}");
    let off = row.difference_percent.expect("a comparison");
    assert!(off.abs() <= TOLERANCE_PERCENT, "{row:?}");
    assert!(row.measured.unwrap() < row.failed_at.unwrap(), "{row:?}");
    row
}

#[test]
fn descriptors_of_a_table() {
    let _turn = turn();
    let row = check("epoll-edge", "nofile=400", "RLIMIT_NOFILE", "no descriptor");
    assert!(row.explanation.contains("EMFILE"), "{row:?}");
    assert!((380..400).contains(&row.measured.unwrap()), "{row:?}");
}

#[test]
fn numbers_of_descriptors_in_an_fd_set() {
    let _turn = turn();
    let row = check("select", "", "FD_SETSIZE", "refused by the model");
    assert!((1_000..1_024).contains(&row.measured.unwrap()), "{row:?}");
}

#[test]
fn workers_that_serve_one_client_each() {
    let _turn = turn();
    let row = check("pool", "", "workers", "timed out");
    assert_eq!((row.measured, row.failed_at), (Some(10), Some(11)));
}

#[test]
fn threads_of_a_cgroup() {
    let _turn = turn();
    if root("pids.max of a cgroup") {
        let row = check("thread", "pids=200", "cgroup pids.max", "no thread");
        assert!(row.explanation.contains("pids.max of its cgroup"), "{row:?}");
    }
}

#[test]
fn threads_of_a_user() {
    let _turn = turn();
    if root("RLIMIT_NPROC, which root is exempt from, so another user is needed") {
        let row = check("thread", "nproc=200", "RLIMIT_NPROC", "no thread");
        assert!(row.explanation.contains("EAGAIN"), "{row:?}");
    }
}

#[test]
fn numbers_of_threads_in_a_pid_namespace() {
    let _turn = turn();
    let (old, what) = (Sysctl::PidMax.value().unwrap(), "a PID namespace");
    if root(what) {
        check("thread", "pid-max=500", "kernel.pid_max", "no thread");
        assert_eq!(Sysctl::PidMax.value().unwrap(), old, "that of the host is another one");
    }
}

#[test]
fn mappings_of_a_process_with_and_without_stacks_for_signal_handlers() {
    let _turn = turn();
    let old = Sysctl::MaxMapCount.value().unwrap();
    if root("vm.max_map_count") {
        let (limit, stopped) = ("vm.max_map_count", "refused by the model");
        let with = check("thread", "maps=2000", limit, stopped);
        let without = check("thread", "maps=2000,signal-stacks=none", limit, stopped);
        assert!(without.measured.unwrap() > with.measured.unwrap() * 3 / 2, "{without:?}");
        assert_eq!(Sysctl::MaxMapCount.value().unwrap(), old, "put back");
    }
}

#[test]
fn memory_of_a_cgroup() {
    let _turn = turn();
    if root("the memory of a cgroup") {
        let row = check("thread", "memory=16MiB", "cgroup memory", "no memory");
        assert!(row.explanation.contains("memory cgroup"), "{row:?}");
    }
}

#[test]
fn a_survey_is_a_table_a_folder_and_an_exit_status() {
    let _turn = turn();
    let out = tempfile::tempdir().unwrap();
    let run = limits("--models iterative,select --under nofile=300", out.path()).output().unwrap();
    let [table, words] = [&run.stdout, &run.stderr].map(|text| String::from_utf8_lossy(text));
    assert_eq!(run.status.code(), Some(0), "{words}");
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let cells: Vec<_> = row("iterative").split_whitespace().map(ToOwned::to_owned).collect();
    assert_eq!(cells[..3], ["iterative", "1", "1"], "{table}");
    assert!(row("select").contains("no descriptor (RLIMIT_NOFILE)"), "{table}");
    let folder = fs::read_dir(out.path().join("limits")).unwrap().next().unwrap().unwrap().path();
    for name in ["plots/limits.svg", "plots/limits.png", "manifest.toml"] {
        assert!(folder.join(name).exists(), "no {name}");
    }
    let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap().lines().count();
    assert_eq!(lines("limits.csv"), 3);
    assert!(lines("steps.csv") >= 5, "a success and a failure each, and a head");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(page.contains("2 of 2 predictions are right"), "{page}");
}

#[test]
fn an_unknown_limit_or_model_is_wrong_usage() {
    let out = tempfile::tempdir().unwrap();
    for arguments in ["--under nofiles=3", "--models thraed", "--tables none", "--objective slow"] {
        let run = limits(arguments, out.path()).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments}");
    }
    assert!(!out.path().join("limits").exists(), "nothing was begun");
}

/// A harness that has changed the host and is in the middle of a survey.
struct Busy {
    harness: Child,
    _out: tempfile::TempDir,
    old: u64,
}

/// What a survey changes here; nobody would set this by chance.
const CHANGED: u64 = 65_111;

impl Busy {
    fn start() -> Self {
        let old = Sysctl::MaxMapCount.value().unwrap();
        let out = tempfile::tempdir().unwrap();
        let under = format!("--models thread --under maps={CHANGED},pids=9000,memory=2GiB");
        let mut harness = limits(&under, out.path());
        let harness = harness.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let busy = Self { harness, _out: out, old };
        // Three: the warden, a server, and what puts load on it.
        wait_for("the change of the host, cgroups, and a step under way", || {
            let changed = Sysctl::MaxMapCount.value().unwrap() == CHANGED;
            changed && !busy.cgroups().is_empty() && children(busy.pid()).len() >= 3
        });
        busy
    }

    fn pid(&self) -> u32 {
        self.harness.id()
    }

    /// The cgroups that this harness has made.
    fn cgroups(&self) -> Vec<PathBuf> {
        let name = format!("bench-harness-{}-", self.pid());
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
        let entries = roots.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten());
        let paths = entries.flatten().map(|entry| entry.path());
        paths.filter(|path| path.display().to_string().contains(&name)).collect()
    }

    fn end(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = format!("PPid:\t{parent}\n");
    let of = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    pids.filter(|pid| of(pid).contains(&parent)).collect()
}

/// Whether a process runs; one that has ended and is not collected yet does not.
fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Ends a busy harness, and checks that nothing of it is left, and the host is as it was.
fn ends_cleanly(signal: Signal) {
    let _turn = turn();
    if !root("a change of the host") {
        return;
    }
    let mut busy = Busy::start();
    let children = children(busy.pid());
    busy.end(signal);
    let start = Instant::now();
    let status = busy.harness.wait().unwrap();
    wait_for("the old value", || Sysctl::MaxMapCount.value().unwrap() == busy.old);
    wait_for("the end of all processes", || !children.iter().copied().any(runs));
    wait_for("the end of the cgroups", || busy.cgroups().is_empty());
    eprintln!("{signal}: {status}, all was as before after {:?}", start.elapsed());
    assert!(!status.success());
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    ends_cleanly(Signal::SIGINT);
}

#[test]
fn being_killed_leaves_nothing_behind() {
    ends_cleanly(Signal::SIGKILL);
}

#[test]
fn a_second_run_does_not_change_the_host_meanwhile() {
    let _turn = turn();
    if !root("a change of the host") {
        return;
    }
    let mut busy = Busy::start();
    let out = tempfile::tempdir().unwrap();
    let second =
        limits("--models thread --under maps=3000 --predict", out.path()).output().unwrap();
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "{words}");
    assert!(words.contains(&format!("process {}", busy.pid())), "{words}");
    assert_eq!(Sysctl::MaxMapCount.value().unwrap(), CHANGED);
    busy.end(Signal::SIGTERM);
    busy.harness.wait().unwrap();
    assert_eq!(Sysctl::MaxMapCount.value().unwrap(), busy.old, "put back before it ended");
}
