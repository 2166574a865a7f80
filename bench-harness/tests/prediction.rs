//! Each limit is made to bind, and what was predicted is what is then measured.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them. Where this process
//! may not set a limit, as without root, that limit is passed over.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use bench_harness::experiment::App;
use bench_harness::launch::pinning::Pinning;
use bench_harness::launch::process::{Binaries, Processes};
use bench_harness::launch::{Server, ServerPlan};
use bench_harness::limits::appetite::Appetite;
use bench_harness::limits::host::{HostLimits, Limit};
use bench_harness::limits::predict;
use bench_harness::limits::prediction::Prediction;
use bench_harness::limits::seek::{Search, seek};
use bench_harness::limits::trial::Trial;
use bench_harness::restraint::{Hold, Restraint, Sysctl};

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(60);

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).into()
});

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| Binaries::find(Some(&FOLDER)).unwrap());

/// Predicted under a restraint, then measured under it; `None` where it can't be set.
fn both(model: &str, restraint: &Restraint) -> Option<(Prediction, u64)> {
    let model = BINARIES.models().unwrap().into_iter().find(|row| row.name == model).unwrap();
    let appetite = Appetite::measure(&BINARIES, &model, &[]).unwrap();
    let hold = Hold::take(restraint, &FOLDER.join("bench-harness"), LONG).ok()?;
    let scratch = tempfile::tempdir().unwrap();
    let pinning = Pinning::of_this_host().unwrap();
    let mut processes = Processes::new(BINARIES.clone(), pinning, scratch.path()).under(hold);
    let server = processes.start(&ServerPlan::new(&model.name, App::Echo)).ok()?;
    let limits = HostLimits::of(server.pid());
    drop(server);
    let prediction = predict(&model, &appetite, &limits, 1, 20_000);
    let trial = Trial {
        model: model.name,
        app: App::Echo,
        tables: None,
        options: Vec::new(),
        patience: Duration::from_secs(2),
        longest: LONG,
        objective: None,
    };
    let search = Search { first: 16, most: 20_000, grain: 0.0, hint: Some(prediction.clients) };
    let found = seek(&search, |clients| trial.step(clients, &mut processes).map(Some)).unwrap();
    Some((prediction, found.served))
}

fn check(model: &str, limit: Limit, restraint: &Restraint) {
    let Some((prediction, measured)) = both(model, restraint) else { return };
    assert_eq!(prediction.binding, Some(limit), "{prediction:#?}");
    let off = prediction.clients.abs_diff(measured) as f64 / measured as f64;
    assert!(off <= 0.02, "{measured} measured: {prediction:#?}");
}

#[test]
fn descriptors_of_a_table() {
    check("poll", Limit::Nofile, &Restraint { nofile: Some(300), ..Restraint::default() });
}

#[test]
fn numbers_of_descriptors_that_an_fd_set_holds() {
    check("select", Limit::FdSetsize, &Restraint::default());
}

#[test]
fn threads_of_a_user() {
    check("thread", Limit::Nproc, &Restraint { nproc: Some(150), ..Restraint::default() });
}

#[test]
fn threads_of_a_cgroup() {
    check("thread", Limit::PidsCgroup, &Restraint { pids: Some(150), ..Restraint::default() });
}

#[test]
fn numbers_of_threads_in_a_namespace() {
    check("thread", Limit::PidMax, &Restraint { pid_max: Some(600), ..Restraint::default() });
}

#[test]
fn mappings_of_a_process() {
    let host = BTreeMap::from([(Sysctl::MaxMapCount, 3_000)]);
    check("thread", Limit::MaxMapCount, &Restraint { host, ..Restraint::default() });
}
