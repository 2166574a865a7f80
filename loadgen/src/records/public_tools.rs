//! Other people's programs read our files: the Java and the Python library of HdrHistogram.
//!
//! Each test is skipped, and says so, where its program is missing: `libhdrhistogram-java` on
//! Debian, `hdrhistogram` on PyPI (in the Python that `LOADGEN_PYTHON` names, or `python3`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hdrhistogram::Histogram;
use tempfile::TempDir;

use super::{IntervalLog, Origin, Series, Tag, percentiles};
use crate::random::unit;
use crate::recorder::Times;

const JAR: &str = "/usr/share/java/hdrhistogram.jar";

const RESPONSE: Tag = Tag { origin: Origin::Rank(3), series: Series::Response };
const SERVICE: Tag = Tag { origin: Origin::Rank(3), series: Series::Service };

/// Prints all counts of a tag, value by value.
const PYTHON: &str = r"
import sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
sum = HdrHistogram(1, 3600000000000, 3)
reader = HistogramLogReader(sys.argv[1], sum)
while True:
    interval = reader.get_next_interval_histogram()
    if interval is None:
        break
    if interval.get_tag() == sys.argv[2]:
        sum.add(interval)
for item in sum.get_recorded_iterator():
    print(item.value_iterated_to, item.count_at_value_iterated_to)
";

/// Three seconds of a tag, and their sum.
fn log(folder: &TempDir) -> (std::path::PathBuf, Histogram<u64>) {
    let path = folder.path().join("r3.hlog");
    let begin = Duration::from_micros(1_700_000_000_123_456);
    let header = serde_json::json!({"rank": 3, "host": "a, \"b\"", "start_at_ns": null});
    let mut log = IntervalLog::create(&path, &header, begin).expect("a log");
    let mut sum = Times::default();
    for second in 0..3 {
        let (mut response, mut service) = (Times::default(), Times::default());
        for number in 0..5000 {
            let nanos = 20_000.0 / (1.0 - unit(1, second, number)).powi(2);
            response.record(nanos as u64);
            service.record(number);
        }
        sum.merge(&response);
        let both = [(RESPONSE, response.histogram()), (SERVICE, service.histogram())];
        let start = begin + Duration::from_secs(second);
        log.second(start, Duration::from_secs(1), &both).expect("room");
    }
    log.finish(&serde_json::json!({"clock_step_ns": 0})).expect("a free place");
    (path, sum.histogram().clone())
}

/// What a program prints; none, loudly, if there is no such program here.
fn output(program: &str, arguments: &[&str], log: &Path) -> Option<String> {
    let run = Command::new(program).args(arguments).arg(log).arg(RESPONSE.to_string()).output();
    run.ok().map(|run| {
        assert!(run.status.success(), "{program}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    })
}

#[test]
fn the_python_library_finds_the_same_counts() {
    let python = std::env::var("LOADGEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let known = Command::new(&python).args(["-c", "import hdrh"]).output();
    if !known.is_ok_and(|run| run.status.success()) {
        return eprintln!("skipped: {python} has no hdrhistogram (pip install hdrhistogram)");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (path, sum) = log(&folder);
    let found = output(&python, &["-c", PYTHON], &path).expect("it was there a moment ago");
    let row = |value: u64, count: u64| format!("{value} {count}");
    let wanted = sum.iter_recorded().map(|at| row(at.value_iterated_to(), at.count_at_value()));
    assert_eq!(found.lines().collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
}

#[test]
fn the_java_tool_prints_the_same_percentiles() {
    if !Path::new(JAR).exists() {
        return eprintln!("skipped: {JAR} is missing (apt-get install libhdrhistogram-java)");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (path, sum) = log(&folder);
    let path = path.to_string_lossy();
    let main = "org.HdrHistogram.HistogramLogProcessor";
    let run =
        Command::new("java").args(["-cp", JAR, main, "-i", &path, "-tag", "r3.resp"]).output();
    let Ok(run) = run else { return eprintln!("skipped: there is no java") };
    let found = String::from_utf8_lossy(&run.stdout);
    // Java rounds ties up, and Rust to even: so a percentile is compared as a number.
    let percentile = |cells: &[&str]| cells[1].parse::<f64>().expect("a percentile");
    let rows = |text: &str| -> Vec<(f64, String)> {
        let rows = text.lines().filter(|line| line.trim_start().starts_with(char::is_numeric));
        let cells = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
        cells.map(|cells| (percentile(&cells), cells[2..].join(" "))).collect()
    };
    let (found_rows, ours) = (rows(&found), rows(&percentiles(&sum)));
    assert_eq!(found_rows.len(), ours.len());
    for ((theirs, counts), (share, wanted)) in found_rows.iter().zip(&ours) {
        assert!((theirs - share).abs() < 2e-12, "{theirs} and {share}");
        assert_eq!(counts, wanted);
    }
    let total = format!("Total count    = {:12}]", sum.len());
    assert!(found.contains(&total), "{found}");
}
