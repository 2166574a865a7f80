//! What models really take for a client, and whether limits are read as they hold for another
//! process.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use bench_harness::experiment::model::Model;
use bench_harness::launch::child::Child as Server;
use bench_harness::launch::process::Binaries;
use bench_harness::limits::appetite::{Appetite, Share};
use bench_harness::limits::host::{Bound, HostLimits, Limit};
use bench_harness::limits::predict;
use bench_harness::restraint::{Hold, Restraint};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(30);

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| {
    room_for_clients();
    let test = std::env::current_exe().unwrap();
    let folder: PathBuf = test.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).into();
    Binaries::find(Some(&folder)).unwrap()
});

/// Tests hold their clients all at once, in one table.
fn room_for_clients() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

fn model(name: &str) -> Model {
    BINARIES.models().unwrap().into_iter().find(|model| model.name == name).unwrap()
}

fn measured(name: &str, arguments: &[&str]) -> Appetite {
    let arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
    Appetite::measure(&BINARIES, &model(name), &arguments).unwrap()
}

#[test]
fn a_thread_for_each_client_takes_a_descriptor_a_thread_and_some_mappings() {
    let found = measured("thread", &[]);
    assert_eq!((found.descriptors.each, found.threads.each), (1.0, 1.0), "{found:?}");
    // A stack, its guard, and as much for signal handlers; other C libraries have other numbers.
    assert!((1.0..=8.0).contains(&found.mappings.each), "{found:?}");
    assert!(found.resident.each >= 4_096.0, "a page of its stack at least: {found:?}");
    assert!(found.watches.each == 0.0 && found.workers.is_none(), "{found:?}");
}

#[test]
fn a_reactor_takes_a_descriptor_and_a_watch_and_no_thread() {
    let found = measured("epoll-level", &[]);
    assert_eq!((found.descriptors.each, found.watches.each), (1.0, 1.0), "{found:?}");
    assert_eq!((found.threads, found.mappings.each), (Share { base: 1.0, each: 0.0 }, 0.0));
    assert!(found.resident.each < 4_096.0, "{found:?}");
}

#[test]
fn a_client_in_one_of_several_tables_takes_a_descriptor_of_that_one() {
    let found = measured("poll", &["--tables", "4"]);
    assert_eq!(found.descriptors.each, 1.0, "{found:?}");
    assert!((5.0..40.0).contains(&found.descriptors.base), "not those of all: {found:?}");
}

#[test]
fn what_serves_a_few_is_measured_with_a_few() {
    assert_eq!(measured("iterative", &[]).workers, Some(1));
    assert_eq!(measured("pool", &["--workers", "6"]).workers, Some(6));
    let found = measured("pool", &[]);
    assert_eq!(found.workers, Some(10));
    let prediction = predict(&model("pool"), &found, &HostLimits::look(), 1, 1_000);
    assert_eq!((prediction.binding, prediction.clients), (Some(Limit::Workers), 10));
}

/// A process under limits that are not ours; killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    /// `line` ends in a program that says a line and then sleeps.
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut said).unwrap();
        assert_eq!(said, "ready\n");
        Self(child)
    }

    fn limits(&self) -> HostLimits {
        HostLimits::of(self.0.id())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SLEEP: &str = "echo ready; exec sleep 60";

#[test]
fn the_limits_of_another_process_are_those_that_it_was_given() {
    let sleeper = Sleeper::start("prlimit", &["--nofile=123:456", "sh", "-c", SLEEP]);
    let found = sleeper.limits();
    let nofile = found.setting(Limit::Nofile).unwrap();
    assert_eq!(nofile.bound, Bound::AtMost(456), "a server takes the hard one");
    let own = HostLimits::look();
    assert_ne!(own.setting(Limit::Nofile).unwrap().bound, Bound::AtMost(456));
}

#[test]
fn the_limit_on_threads_holds_against_users_and_not_against_root() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let own = HostLimits::look();
    assert!(own.setting(Limit::Nproc).unwrap().waived.is_some());
    let line = ["--reuid=64123", "--clear-groups", "prlimit", "--nproc=77:77", "sh", "-c", SLEEP];
    let found = Sleeper::start("setpriv", &line).limits();
    let nproc = found.setting(Limit::Nproc).unwrap();
    assert_eq!((nproc.bound, &nproc.waived), (Bound::AtMost(77), &None));
    assert_eq!(nproc.others, Some(0), "nobody else is that user");
}

#[test]
fn a_server_in_a_pid_namespace_has_the_numbers_of_that() {
    let restraint = Restraint { pid_max: Some(400), ..Restraint::default() };
    // It takes root, and a kernel that has a pid_max for each namespace (since 6.14).
    let Ok(mut hold) = Hold::take(&restraint, Path::new("no warden needed"), LONG) else { return };
    let line = ["run", "--model", "poll", "--app", "echo", "--listen", "127.0.0.1:0"];
    let line = line.map(str::to_owned);
    let Ok(bonds) = hold.bonds() else { return };
    let mut server = Server::bound(&BINARIES.servers, &line, &[0], bonds).unwrap();
    assert!(server.line(LONG).unwrap().starts_with("listening "));
    let found = HostLimits::of(server.pid());
    let numbers = found.setting(Limit::PidMax).unwrap();
    assert_eq!((numbers.bound, numbers.others), (Bound::AtMost(400), Some(0)), "{numbers:?}");
    assert!(numbers.command.starts_with("nsenter "), "{numbers:?}");
    // Ours are the same as before.
    let own = HostLimits::look();
    assert_ne!(own.setting(Limit::PidMax).unwrap().bound, Bound::AtMost(400));
}
