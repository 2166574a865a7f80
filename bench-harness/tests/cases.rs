//! Small cases of a study with real processes: who is refused, what is kept, what the report says.
//!
//! The binaries are those beside this test: `cargo build --workspace` makes them.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use std::fs;
use std::path::Path;

use bench_harness::experiment::load::Source;
use bench_harness::failure::Failure;
use bench_harness::launch::pinning::Pinning;
use bench_harness::launch::process::{Binaries, Processes};
use bench_harness::plot;
use bench_harness::record::{Outcome, Row};
use bench_harness::report::markdown;
use bench_harness::results::{Recorder, Run, Scratch, file};
use bench_harness::runner::{Setting, run_trial};
use support::{manifest, trial};

const STUDY: &str = r#"
question = "How many?"
expectation = "Not so many."
charts = ["response-times", "implied-rate"]
case = [{ model = "select", connections = 1_100 }, { model = "epoll-edge", connections = 50 }]

[matrix]
model = ["select", "epoll-edge"]
app = ["echo"]
connections = [50, 1_100]

[load]
warm-up = "0s"
measure = "60s"
message = "Gary's spamming"
count = 100
sessions = true

[published]
study = "a study"

[[published.series]]
model = "select"
name = "select"
response-ms = [[50, 0.5], [1_000, 10.0]]
failed-at = 1_100
failure = "out of range"

[[published.series]]
model = "epoll-edge"
name = "epoll"
response-ms = [[50, 0.5], [1_000, 10.2], [10_000, 100.0]]
"#;

/// Both models with 50 clients, and select with more than it holds, in the folder of a run.
fn run(root: &Path) -> Run {
    let test = std::env::current_exe().unwrap();
    let binaries = Binaries::find(Some(test.ancestors().nth(2).unwrap())).unwrap();
    let models = binaries.models().unwrap();
    let source = Source::parse(Path::new("study.toml"), STUDY.into()).unwrap();
    let mut recorder = Recorder::create(root, "study", "run").unwrap();
    let setting = Setting {
        run: recorder.run(),
        experiment: source.name,
        load: source.experiment.load,
        proxy: source.experiment.proxy.unwrap_or_default(),
        pinning: Pinning::of_this_host().unwrap(),
        models,
        descriptors: 20_000,
        sessions: recorder.path().join(file::SESSIONS),
    };
    let scratch = Scratch::new().unwrap();
    let mut launcher = Processes::new(binaries, setting.pinning.clone(), scratch.path());
    for (model, clients) in [("select", 1_100), ("epoll-edge", 50), ("select", 50)] {
        recorder.append(&run_trial(&trial(model, clients), &setting, &mut launcher)).unwrap();
    }
    let mut manifest = manifest(recorder.run());
    manifest.models = setting.models.into_iter().map(|model| model.name).collect();
    recorder.write_manifest(&manifest).unwrap();
    recorder.folder().keep(file::EXPERIMENT, STUDY.as_bytes()).unwrap();
    Run::read(recorder.path()).unwrap()
}

/// Requests made and octets sent, by client.
fn sessions(run: &Run, row: &Row) -> Vec<(u64, u64)> {
    let name = format!("client data - {}.csv", row.connections);
    let path = run.folder.path().join(file::SESSIONS).join(&row.model).join(name);
    let text = fs::read_to_string(path).unwrap();
    let cell = |line: &str, n: usize| line.split(',').nth(n).unwrap().parse().unwrap();
    text.lines().skip(1).map(|line| (cell(line, 0), cell(line, 1))).collect()
}

#[test]
fn cases_are_run_kept_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path());
    let [select, epoll, few] = &run.rows[..] else { panic!("three rows") };

    assert_eq!((select.outcome, select.failure), (Outcome::Refused, Some(Failure::FdSetsize)));
    let refused = select.server_refused.unwrap();
    let words = format!(
        "refused by the model: {refused} of 1,100 clients have a descriptor number of 1,024 or more \
         (FD_SETSIZE)"
    );
    assert_eq!(select.error.as_deref(), Some(words.as_str()));
    assert_eq!(select.served, Some(1_100 - refused), "nobody took the place of another");
    for row in [epoll, few] {
        let made = row.requests_answered;
        assert!(matches!(row.outcome, Outcome::Ok | Outcome::Invalid), "{row:?}");
        assert_eq!((made, row.failure, row.requests_each), (Some(5_000), None, Some(100)));
    }

    for row in &run.rows {
        let clients = sessions(&run, row);
        assert_eq!(clients.len() as u64, row.connections);
        let made: u64 = clients.iter().map(|(made, _)| made).sum();
        assert_eq!(Some(made), row.requests_answered);
        assert!(clients.iter().all(|(made, octets)| *octets >= 15 * made));
    }
    let without = sessions(&run, select).iter().filter(|(made, _)| *made == 0).count();
    assert_eq!(without as u64, refused);

    let figures = plot::draw_all(&run).unwrap();
    assert_eq!(figures.len(), 2);
    assert!(figures[0].finding.contains("select 50, epoll-edge 50"), "{}", figures[0].finding);
    let svg = fs::read_to_string(&figures[0].path).unwrap();
    assert!(svg.contains("FD_SETSIZE") && svg.contains("as published"));
    let page = markdown::page(&run, &figures);
    for words in [
        "### The 2 cases",
        "| 1 | select | 1,100 | failed: out of range | failed (FD_SETSIZE): refused by the model:",
        "| 2 | epoll (epoll-edge) | 50 | 0.500 ms |",
        "| 1,100 | FD_SETSIZE |",
        "From 1,000 to 10,000 clients, that is 10-fold",
        "those of different servers lie within 1.02 ×",
        "What stays the same whatever the server is",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
}
