//! The folder of a run: its rows, its manifest, its report, its figures.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use bench_harness::launch::sampler::Sample;
use bench_harness::plot::{self, Drawn};
use bench_harness::record::Row;
use bench_harness::report::markdown;
use bench_harness::results::{Recorder, Run, file};
use bench_harness::runner::Measurement;
use loadgen::report::{Band, Path as Way};
use loadgen::verdict::Standing;
use support::{changed, finished_run};

/// A run with its figures: drawn once, since bitmaps take their time in a build for tests.
static DRAWN: LazyLock<(tempfile::TempDir, Run, Vec<Drawn>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    let figures = plot::draw_all(&run).unwrap();
    (folder, run, figures)
});

fn header(run: &Run) -> Vec<String> {
    let text = fs::read_to_string(run.folder.path().join(file::TRIALS)).unwrap();
    text.lines().next().unwrap().split(',').map(ToOwned::to_owned).collect()
}

#[test]
fn rows_can_be_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    assert_eq!(run.rows.len(), 9);
    let mut writer = csv::Writer::from_writer(Vec::new());
    run.rows.iter().for_each(|row| writer.serialize(row).unwrap());
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    assert_eq!(text, fs::read_to_string(run.folder.path().join(file::TRIALS)).unwrap());
}

#[test]
fn format_md_explains_each_column_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let columns: BTreeSet<String> = header(&finished_run(folder.path())).into_iter().collect();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    let (_, trials) = page.split_once("## trials.csv").unwrap();
    let (trials, _) = trials.split_once("## histograms.csv").unwrap();
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let explained: BTreeSet<String> = trials.lines().filter_map(name).collect();
    assert_eq!(columns, explained);
}

#[test]
fn the_first_columns_say_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let header = header(&finished_run(folder.path())).join(",");
    let start = "run,trial,block,experiment,model,app,connections,idle,size_octets,";
    assert!(header.starts_with(start), "{header}");
}

#[test]
fn each_row_is_on_disk_when_the_next_trial_begins() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(folder.path(), "x", "run").unwrap();
    let row = Row { model: "first".into(), ..Row::default() };
    let measurement = Measurement { row, ..nothing() };
    recorder.append(&measurement).unwrap();
    let text = fs::read_to_string(recorder.path().join(file::TRIALS)).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.ends_with('\n') && text.contains("first"));
}

/// A measurement of nothing.
fn nothing() -> Measurement {
    Measurement {
        row: Row::default(),
        histogram: String::new(),
        path: Way::default(),
        samples: Vec::new(),
    }
}

#[test]
fn the_way_of_requests_is_kept_band_by_band_and_only_where_the_kernel_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(folder.path(), "x", "run").unwrap();
    let place = recorder.path().join(file::PATH);
    recorder.append(&nothing()).unwrap();
    assert!(!place.exists());
    let band = |count| Band { count, wait_ns: 1, send_ns: 2, away_ns: 3, read_ns: 4 };
    let path = Way { bands: vec![band(0), band(5), band(0), band(7)] };
    for trial in [2, 3] {
        let row = Row { trial, ..Row::default() };
        recorder.append(&Measurement { row, path: path.clone(), ..nothing() }).unwrap();
    }
    let text = fs::read_to_string(place).unwrap();
    let lines = "2,1,5,1,2,3,4\n2,3,7,1,2,3,4\n3,1,5,1,2,3,4\n3,3,7,1,2,3,4\n";
    assert_eq!(text, format!("trial,band,count,wait_ns,send_ns,away_ns,read_ns\n{lines}"));
}

#[test]
fn samples_are_kept_by_trial_and_only_where_they_were_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(folder.path(), "x", "run").unwrap();
    let place = recorder.path().join(file::SAMPLES);
    recorder.append(&nothing()).unwrap();
    assert!(!place.exists());
    let sample = |process: &str, cpus| Sample { at_s: 1.0, process: process.into(), cpus };
    for trial in [2, 3] {
        let row = Row { trial, ..Row::default() };
        let samples = vec![sample("server", 0.25), sample("host", 0.5)];
        recorder.append(&Measurement { row, samples, ..nothing() }).unwrap();
    }
    let lines = "2,1.0,server,0.25\n2,1.0,host,0.5\n3,1.0,server,0.25\n3,1.0,host,0.5\n";
    assert_eq!(fs::read_to_string(place).unwrap(), format!("trial,at_s,process,cpus\n{lines}"));
}

#[test]
fn a_run_that_was_killed_within_a_row_has_the_rows_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    for name in [file::TRIALS, file::HISTOGRAMS] {
        let path = run.folder.path().join(name);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
    }
    let left = Run::read(run.folder.path()).unwrap();
    assert_eq!(left.rows, run.rows[..8]);
    assert_eq!(left.histograms.len(), run.histograms.len() - 1);
    assert!(markdown::page(&left, &[]).contains("What came out"));
}

#[test]
fn a_run_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let name = || Recorder::create(folder.path(), "x", "run").unwrap().run();
    assert_eq!([name(), name(), name()], ["run", "run-2", "run-3"]);
}

#[test]
fn the_manifest_says_what_is_needed_to_judge_and_to_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    let text = fs::read_to_string(run.folder.path().join(file::MANIFEST)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    for key in ["schema", "status", "command", "seed", "repeat", "started", "finished", "models"] {
        assert!(table.contains_key(key), "no {key}");
    }
    let inner = |table: &str, key: &str| {
        text.parse::<toml::Table>().unwrap()[table].as_table().unwrap().contains_key(key)
    };
    for key in [
        "kernel",
        "cpu",
        "cpus",
        "memory_kib",
        "clocksource",
        "governor",
        "open_files",
        "sysctl",
        "mitigations",
    ] {
        assert!(inner("host", key), "no host.{key}");
    }
    for key in ["revision", "dirty", "servers", "loadgen", "harness"] {
        assert!(inner("build", key), "no build.{key}");
    }
    assert!(inner("pinning", "server") && inner("pinning", "client"));
    assert_eq!(run.manifest, toml::from_str(&text).unwrap());
}

#[test]
fn the_titles_say_what_was_found() {
    let (_, _, figures) = &*DRAWN;
    let findings: Vec<_> = figures.iter().map(|figure| figure.finding.as_str()).collect();
    let expected = [
        "echo: fast answers 4.0 × as many requests as slow at 100 connections",
        "echo: at 100 connections, the 99th percentiles of 2 models can't be ranked by one trial each",
        "echo: at 100 connections, the slowest 1 % take over 2.7 × the median, whatever the model",
        "echo: at 100 connections, a request costs 12.5 µs of CPU with fast and 4.0 × as much with slow",
    ];
    assert_eq!(findings[..2], expected[..2]);
    assert_eq!(findings[3], expected[3]);
    assert!(findings[2].contains("whatever the model"), "{}", findings[2]);
}

#[test]
fn a_figure_names_its_axes_its_models_its_host_and_its_marks() {
    let (_, _, figures) = &*DRAWN;
    let svg = fs::read_to_string(&figures[0].path).unwrap();
    for words in [
        "requests answered a second",
        "connections (",
        "fast  40 k",
        "slow  10 k",
        "Made-Up CPU",
        "starving (serves 1 at once)",
        "2026-01-01",
    ] {
        assert!(svg.contains(words), "no `{words}` in the figure");
    }
    assert!(svg.contains("font-family=\"sans-serif\""));
}

#[test]
fn each_png_can_be_decoded_and_is_not_blank() {
    let (_, _, figures) = &*DRAWN;
    assert_eq!(figures.len(), 5);
    for figure in figures {
        let image = image::open(figure.path.with_extension("png")).unwrap().into_rgb8();
        assert_eq!(image.dimensions(), (2_000, 1_280));
        let ink = image.pixels().filter(|pixel| pixel.0.iter().all(|part| *part < 0x80)).count();
        assert!(ink > 2_000, "{}: {ink} dark pixels", figure.path.display());
    }
}

#[test]
fn a_run_without_histograms_still_has_its_other_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = finished_run(folder.path());
    run.histograms.clear();
    assert_eq!(plot::draw_all(&run).unwrap().len(), 3);
    run.rows.clear();
    assert_eq!(plot::draw_all(&run).unwrap(), []);
}

#[test]
fn a_doubt_is_marked_where_it_sets_a_trial_apart_and_else_told_once() {
    let (_folder, run) = changed(|row| {
        row.verdict = Some(Standing::Suspect);
        let drifts = row.model == "fast" && row.connections == 10;
        row.verdict_reasons = Some(if drifts { "CPU delay; drift" } else { "CPU delay" }.into());
    });
    let page = markdown::page(&run, &[]);
    for words in [
        "of 9, 0 are VALID, 9 SUSPECT, 0 INVALID",
        "* CPU delay: 9 of 9 trials. That is most of them",
        "* drift: 1 of 9 trials\n",
        "| fast | 40 k | 40 k? | 40 k |",
        "? the load generator doubts its numbers",
        "No calibration was made",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
}

#[test]
fn a_calibration_in_the_folder_is_cited() {
    let folder = tempfile::tempdir().unwrap();
    let run = finished_run(folder.path());
    let text = r#"{"schema": 1, "version": "0.1.0", "extent": "quick", "bias_us": 20.0,
        "holds": true, "host": {"kernel": "Linux 6.1.0"}}"#;
    fs::write(run.folder.path().join(file::CALIBRATION), text).unwrap();
    let page = markdown::page(&Run::read(run.folder.path()).unwrap(), &[]);
    assert!(page.contains("Latencies here are measured 20 µs too long"), "{page}");
    assert!(!page.contains("another kernel"), "{page}");
}

#[test]
fn the_report_has_question_answer_charts_and_the_way_to_repeat_it() {
    let (_, run, figures) = &*DRAWN;
    let page = markdown::page(run, figures);
    for words in [
        "# made-up: Which?",
        "Expected: The second.",
        "* echo: fast answers 4.0 ×",
        "| requests/s | c=1 | c=10 | c=100 |",
        "| starving | 20 k | 20 k\\* | 20 k\\* |",
        "](plots/throughput-echo.svg)",
        "Look *closely*.",
        "* left out: select echo c=9: too many",
        "Made-Up CPU",
        "run made-up --seed 7 --repeat 1 --duration 100ms",
    ] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
}
