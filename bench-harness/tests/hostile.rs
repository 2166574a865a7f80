//! Every model under attack: it goes on serving polite clients, keeps its memory, stops cleanly.
//!
//! A hostile client must cost a server no more than the connection it holds. Where a model has
//! only so many places (one client, ten threads), hostile clients take those and newcomers wait;
//! that is its nature and told by its row, so what is asked for is that whoever has a place is
//! served all the time, and that everybody is served in the end.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use bench_harness::experiment::model::{AtOnce, Model};
use bench_harness::launch::process::Binaries;
use loadgen::hostile::Report;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything takes that works, on however busy a machine.
const LONG: Duration = Duration::from_secs(30);

/// Octets by which memory may grow. A server that keeps what nobody reads takes in more than twice
/// that: loadgen's own test of the slow reader proves it.
const GROWTH: u64 = 16 << 20;

/// Models at once, so that two CPUs are not too few for polite clients.
const AT_ONCE: usize = 5;

static BINARIES: LazyLock<Binaries> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let folder: PathBuf = test.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).into();
    Binaries::find(Some(&folder)).unwrap()
});

/// A running server, killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(model: &str, app: &str) -> Self {
        let deadlines = ["--head-timeout", "400ms", "--drain-timeout", "5s"];
        let mut child = Command::new(&BINARIES.servers)
            .args(["run", "--model", model, "--app", app, "--listen", "127.0.0.1:0"])
            .args(deadlines)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening ").expect("the first line of output");
        Self { child, address: address.parse().unwrap() }
    }

    /// Tells it to stop, and waits until it has.
    fn stop(mut self, model: &str) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let start = Instant::now();
        while start.elapsed() < LONG {
            if let Some(status) = self.child.try_wait().unwrap() {
                return assert!(status.success(), "{model}: {status}");
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{model} does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Attacks each model, and checks what holds for each model and each mode.
fn attack(app: &str, scheme: &str, mode: &str, check: fn(&Model, &Report)) {
    let models = BINARIES.models().unwrap();
    assert!(!models.is_empty());
    for some in models.chunks(AT_ONCE) {
        thread::scope(|scope| {
            for model in some {
                scope.spawn(move || check(model, &attack_one(model, app, scheme, mode)));
            }
        });
    }
}

fn attack_one(model: &Model, app: &str, scheme: &str, mode: &str) -> Report {
    let server = Server::start(&model.name, app);
    // Whoever comes second to a server of one client at a time waits for the first to go.
    let newcomers = if model.at_once == AtOnce::One { "0" } else { "1" };
    let line = format!(
        "hostile {scheme}://{} --mode {mode} --watch {} --regulars 1 --newcomers {newcomers} \
         -d 1500ms --before 300ms --after 300ms --every 20ms --timeout 20s --format json",
        server.address,
        server.child.id(),
    );
    let output = Command::new(&BINARIES.loadgen).args(line.split_whitespace()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {mode}: {complaint}", model.name);
    let report = serde_json::from_slice(&output.stdout).unwrap();
    bears_up(model, &report);
    server.stop(&model.name);
    report
}

fn bears_up(model: &Model, report: &Report) {
    let at = format!("{} under {}", model.name, report.mode);
    assert!(report.established > 0 && report.refused == 0, "{at}: {report:?}");
    for polite in &report.polite {
        for phase in [polite.before, polite.during, polite.after] {
            assert!(phase.due > 0 && phase.answered == phase.due, "{at}: {polite:?}");
        }
    }
    let memory = report.watched.expect("the server was there all the time");
    let growth = memory.resident_octets_peak.saturating_sub(memory.resident_octets_before);
    assert!(growth < GROWTH, "{at}: {growth} octets more than before");
}

#[test]
fn slow_readers_fill_no_memory() {
    attack("echo", "tcp", "slow-reader -c 6 --interval 100ms", |model, report| {
        assert!(report.octets_sent > 0, "{}: {report:?}", model.name);
        assert_eq!(report.open, 6, "{}: a write deadline is far away", model.name);
    });
}

#[test]
fn slow_senders_meet_the_deadline_for_heads() {
    attack("http", "http", "slow-sender -c 20 --interval 50ms", |model, report| {
        let ended = report.finished.count + report.reset.count;
        // The polite client holds the one place there is, so nobody hostile ever gets a turn.
        assert_eq!(ended > 0, model.at_once != AtOnce::One, "{}: {report:?}", model.name);
    });
}

#[test]
fn half_open_clients_meet_it_too() {
    attack("http", "http", "half-open -c 20", |model, report| {
        let ended = report.finished.count + report.reset.count;
        assert_eq!(ended > 0, model.at_once != AtOnce::One, "{}: {report:?}", model.name);
    });
}

#[test]
fn half_closed_clients_are_let_go() {
    attack("echo", "tcp", "half-open -c 20 --then shutdown", |model, report| {
        let ended = report.finished.count > 0;
        assert_eq!(ended, model.at_once != AtOnce::One, "{}: {report:?}", model.name);
    });
}

#[test]
fn a_reset_storm_passes() {
    attack("http", "http", "reset-storm -c 10 --rate 500", |model, report| {
        assert!(report.reset_by_us > 0, "{}: {report:?}", model.name);
    });
}
