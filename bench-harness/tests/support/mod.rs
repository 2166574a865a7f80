//! Made-up experiments and runs, small enough to know what has to come out.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bench_harness::experiment::load::Source;
use bench_harness::experiment::model::Model;
use bench_harness::experiment::proxy::Proxy;
use bench_harness::experiment::{App, Cell, Trial};
use bench_harness::launch::pinning::Pinning;
use bench_harness::manifest::{Build, Manifest, SCHEMA, Status};
use bench_harness::probe::host::Host;
use bench_harness::record::{Outcome, Row};
use bench_harness::results::{Recorder, Run, file};
use bench_harness::runner::{Measurement, Setting};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use loadgen::report::{Connections, Latency, Pace, Percentile, Requests, Summary, Usage};
use loadgen::verdict::{Check, Standing, Verdict};

/// An experiment that says everything it has to.
pub(crate) const SOUND: &str = r#"
question = "Which?"
expectation = "The second."
charts = ["throughput", "latency", "distribution", "cpu", "memory"]
analysis = "Look *closely*."

[matrix]
model = ["slow", "fast", "starving"]
app = ["echo"]
connections = [1, 10, 100]

[load]
warm-up = "10ms"
measure = "100ms"
"#;

pub(crate) fn source(text: &str) -> anyhow::Result<Source> {
    Source::parse(Path::new("experiments/made-up.toml"), text.into())
}

pub(crate) fn models() -> Vec<Model> {
    let json = r#"[{"name":"slow"},{"name":"fast","at_once":{"kind":"unlimited"}},
        {"name":"starving","at_once":{"kind":"one"}},
        {"name":"small","at_once":{"kind":"descriptors","limit":1024}},
        {"name":"pooled","at_once":{"kind":"workers"}}]"#;
    serde_json::from_str(json).unwrap()
}

pub(crate) fn setting() -> Setting {
    Setting {
        run: "run".into(),
        experiment: "made-up".into(),
        load: source(SOUND).unwrap().experiment.load,
        proxy: Proxy::default(),
        pinning: Pinning::halves(&[0, 1, 2, 3]),
        models: models(),
        descriptors: 20_000,
        sessions: "sessions".into(),
    }
}

pub(crate) fn trial(model: &str, connections: u64) -> Trial {
    let cell = Cell {
        model: model.into(),
        app: App::Echo,
        policy: None,
        connections,
        idle: 0,
        size: None,
        rate: None,
    };
    Trial { number: 1, block: 1, cell }
}

/// A second in which every client was served.
pub(crate) fn summary(clients: u64, rate: u64) -> Summary {
    let mean_ns = clients as f64 / rate as f64 * 1e9;
    let percentiles = [(50.0, 1.0), (99.0, 3.0)].map(|(percent, times)| Percentile {
        percent,
        value_ns: Some((mean_ns * times) as u64),
        ..Percentile::default()
    });
    Summary {
        connections: Connections {
            asked: clients,
            established: clients,
            served: clients,
            ..Connections::default()
        },
        requests: Requests {
            sent: rate + clients,
            answered: rate,
            failed: 0,
            outstanding: clients,
            ..Requests::default()
        },
        elapsed_ns: 1_000_000_000,
        rate: rate as f64,
        latency: Latency {
            count: rate,
            mean_ns,
            percentiles: percentiles.into(),
            ..Latency::default()
        },
        client: usage(500),
        schema: 2,
        server: Some(usage(950)),
        ..Summary::default()
    }
}

/// A second of an open loop.
pub(crate) fn open_loop() -> Summary {
    let times = |us: u64| Latency {
        percentiles: [(50.0, 1), (99.0, 3)]
            .map(|(percent, times)| Percentile {
                percent,
                value_ns: Some(1_000 * us * times),
                ..Percentile::default()
            })
            .into(),
        ..Latency::default()
    };
    let mut found = summary(10, 40_000);
    found.requests.unsent = 7;
    found.latency.percentiles[1].low_ns = Some(600_000);
    found.service = Some(times(2));
    let arrivals = "poisson".into();
    found.pace = Some(Pace { arrivals, lag: times(3), queue_longest: 5, ..Pace::default() });
    found
}

/// A verdict of these checks: name, standing, reason.
pub(crate) fn verdict(checks: &[(&str, Standing, &str)]) -> Verdict {
    let check = |&(name, standing, reason): &(&str, Standing, &str)| Check {
        name: name.into(),
        standing,
        reason: reason.into(),
    };
    let verdict = Verdict { checks: checks.iter().map(check).collect(), ..Verdict::default() };
    Verdict { standing: verdict.worst(), ..verdict }
}

pub(crate) fn usage(milliseconds: u64) -> Usage {
    let user_ns = Duration::from_millis(milliseconds).as_nanos() as u64 / 4;
    Usage {
        user_ns,
        system_ns: 3 * user_ns,
        resident_octets: 4 << 20,
        threads: 1,
        ..Usage::default()
    }
}

/// A run in which `fast` has four times the rate of `slow`, and `starving` serves one client.
pub(crate) fn finished_run(root: &Path) -> Run {
    let mut recorder = Recorder::create(root, "made-up", "2026-01-01-host-abc").unwrap();
    let mut trial = 0;
    for connections in [1, 10, 100] {
        for (model, rate) in [("slow", 10_000.0), ("fast", 40_000.0), ("starving", 20_000.0)] {
            trial += 1;
            recorder.append(&measurement(trial, model, connections, rate)).unwrap();
        }
    }
    recorder.write_manifest(&manifest(recorder.run())).unwrap();
    recorder.folder().keep(file::EXPERIMENT, SOUND.as_bytes()).unwrap();
    Run::read(recorder.path()).unwrap()
}

/// A run like the made-up one whose rows are changed.
pub(crate) fn changed(change: impl Fn(&mut Row)) -> (tempfile::TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let mut run = finished_run(folder.path());
    run.rows.iter_mut().for_each(change);
    (folder, run)
}

fn measurement(trial: usize, model: &str, connections: u64, rate: f64) -> Measurement {
    let starved = model == "starving" && connections > 1;
    let served = if starved { 1 } else { connections };
    let us = served as f64 / rate * 1e6;
    let row = Row {
        run: "run".into(),
        trial,
        block: 1,
        experiment: "made-up".into(),
        model: model.into(),
        app: "echo".into(),
        connections,
        outcome: if starved { Outcome::Starved } else { Outcome::Ok },
        served: Some(served),
        rate_per_s: Some(rate),
        latency_p50_us: Some(us),
        latency_p99_us: Some(3.0 * us),
        server_user_us_per_request: Some(1e5 / rate),
        server_system_us_per_request: Some(4e5 / rate),
        server_resident_octets: Some((4 << 20) + 8_192 * connections),
        ..Row::default()
    };
    Measurement {
        row,
        histogram: histogram(us * 1e3),
        path: loadgen::report::Path::default(),
        samples: Vec::new(),
    }
}

/// Ten thousand latencies around a median, the slowest three times as long.
fn histogram(median_ns: f64) -> String {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    for n in 0..10_000 {
        let share = f64::from(n) / 10_000.0;
        histogram.record((median_ns * (0.8 + 0.4 * share + 2.0 * share.powi(30))) as u64).unwrap();
    }
    let mut octets = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut octets).unwrap();
    BASE64_STANDARD.encode(octets)
}

pub(crate) fn manifest(run: String) -> Manifest {
    let unknown = || "unknown".to_owned();
    Manifest {
        schema: SCHEMA,
        run,
        experiment: "made-up".into(),
        status: Status::Complete,
        started: "2026-01-01T10:00:00Z".into(),
        finished: "2026-01-01T10:01:00Z".into(),
        command: vec!["bench-harness".into(), "run".into(), "made-up".into()],
        seed: 7,
        repeat: 1,
        measure_ms: 100,
        warm_up_ms: 10,
        trials: 9,
        done: 9,
        skipped: vec!["select echo c=9: too many".into()],
        raised: Vec::new(),
        models: models().into_iter().map(|model| model.name).collect(),
        build: Build {
            revision: "abc".into(),
            dirty: "no".into(),
            harness: unknown(),
            servers: unknown(),
            loadgen: unknown(),
        },
        pinning: Pinning::halves(&[0, 1]),
        host: Host { kernel: "6.1.0 #1".into(), cpu: "Made-Up CPU".into(), ..Host::look() },
    }
}

pub(crate) fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
