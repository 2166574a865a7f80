//! Logs of agents, clean and otherwise, written to files and merged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use tempfile::TempDir;

use super::deviation::Kind;
use super::output::{self, Merged};
use super::roster::{Absence, Roster};
use super::{Arguments, Format, run};
use crate::agent::{ClockState, Closing, Identity, Workload};
use crate::failure::Failure;
use crate::random::unit;
use crate::recorder::Times;
use crate::records::{IntervalFile, IntervalLog, Origin, Series, Tag};
use crate::report::Requests;

const SIZE: u32 = 4;
const SECONDS: u64 = 3;

/// What an agent does; the default is what it should.
#[derive(Clone)]
struct Agent {
    identity: Identity,
    late: Duration,
    seconds: u64,
    answers: u64,
    slower: u64,
    step_ns: i64,
    digits: u8,
}

fn agent(rank: u32) -> Agent {
    let identity = Identity {
        version: "1".to_owned(),
        rank,
        size: SIZE,
        workload: Workload { schedule: "cafe".to_owned(), rate: Some(8000.0) },
        start_at_ns: None,
        host: "a".to_owned(),
        boot_id: "b".to_owned(),
        clock_offset_ns: 1_700_000_000_000_000_000 + i64::from(rank) * 1000,
        clock: ClockState::default(),
        clock_trusted: true,
    };
    let (late, answers) = (Duration::from_micros(700) * rank, 2000);
    Agent { identity, late, seconds: SECONDS, answers, slower: 1, step_ns: 0, digits: 3 }
}

fn agents() -> Vec<Agent> {
    (0..SIZE).map(agent).collect()
}

impl Agent {
    /// Response times of a second: 0.1 ms and more, with a long tail.
    fn times(&self, second: u64) -> Histogram<u64> {
        let mut times = Times::default().histogram().clone();
        if self.digits != times.sigfig() {
            times = Histogram::new_with_bounds(1, times.high(), self.digits).expect("in order");
        }
        for number in 0..self.answers {
            let share = unit(u64::from(self.identity.rank), second, number);
            let nanos = 100_000.0 - 50_000.0 * (1.0 - share).ln();
            times.record(nanos as u64 * self.slower).expect("it is in range");
        }
        times
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let rank = self.identity.rank;
        let path = folder.join(format!("r{rank}.hlog"));
        let begin = Duration::from_secs(1_700_000_000) + self.late;
        let mut log = IntervalLog::create(&path, &self.identity, begin).expect("a log");
        // The last one is empty: nothing came late.
        for second in 0..=self.seconds {
            let tag = |series| Tag { origin: Origin::Rank(rank), series };
            let (start, length) = (begin + Duration::from_secs(second), Duration::from_secs(1));
            let mut times = self.times(second);
            if second == self.seconds {
                times.reset();
            }
            let both = [(tag(Series::Response), &times), (tag(Series::Lag), &times)];
            log.second(start, length, &both).expect("room");
        }
        let answered = self.answers * self.seconds;
        let requests = Requests { sent: answered, answered, ..Requests::default() };
        let elapsed_ns = self.seconds * 1_000_000_000;
        let closing = Closing { elapsed_ns, clock_step_ns: self.step_ns, requests };
        log.finish(&closing).expect("a free place");
        path
    }
}

fn write(agents: &[Agent]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = agents.iter().map(|agent| agent.write(folder.path())).collect();
    (folder, paths)
}

fn merge(agents: &[Agent]) -> Result<Merged, Failure> {
    let (_folder, paths) = write(agents);
    Roster::read(&paths, Absence::Refused).map(|roster| Merged::of(&roster))
}

fn arguments(logs: &[PathBuf], out: Option<PathBuf>) -> Arguments {
    Arguments { logs: logs.to_vec(), out, allow_partial: false, format: Format::Json }
}

/// The sum of all times of all agents, each recorded again into one histogram.
fn everything(agents: &[Agent]) -> Histogram<u64> {
    let mut all = Times::default();
    for agent in agents {
        for times in (0..agent.seconds).map(|second| agent.times(second)) {
            for value in times.iter_recorded() {
                (0..value.count_at_value()).for_each(|_| all.record(value.value_iterated_to()));
            }
        }
    }
    all.histogram().clone()
}

/// Merges the clean agents and one that was changed; gives what is named.
fn planted(rank: usize, change: impl Fn(&mut Agent)) -> Vec<(u32, Kind)> {
    let mut agents = agents();
    change(&mut agents[rank]);
    let merged = merge(&agents).expect("they belong together");
    assert_eq!(merged.conclusion().expect_err("one deviates").status(), 3);
    merged.deviations.iter().map(|found| (found.rank, found.kind)).collect()
}

#[test]
fn the_sum_is_the_union_bucket_by_bucket() {
    let merged = merge(&agents()).expect("they belong together");
    let union = &merged.times[Series::Response.name()];
    assert_eq!(union.times, everything(&agents()));
    assert_eq!(union.count, u64::from(SIZE) * SECONDS * 2000);
    assert_eq!(merged.requests.answered, union.count);
}

#[test]
fn clean_agents_are_not_named() {
    let merged = merge(&agents()).expect("they belong together");
    assert_eq!((merged.deviations.as_slice(), merged.damage.len()), (&[][..], 0));
    assert_eq!(merged.conclusion(), Ok(()));
    let shares: f64 = merged.agents.iter().map(|agent| agent.share_of_tail).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert!((merged.rate_found - 8000.0).abs() < 1e-6, "{}", merged.rate_found);
    let window = merged.window.expect("there is one");
    assert!((window.seconds - (3.0 - 0.0021)).abs() < 1e-6, "{window:?}");
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let (_folder, mut paths) = write(&agents());
    let json = |paths: &[PathBuf]| {
        output::json(&Merged::of(&Roster::read(paths, Absence::Refused).expect("one run")))
    };
    let first = json(&paths);
    paths.reverse();
    paths.swap(1, 2);
    assert_eq!(json(&paths), first);
}

#[test]
fn every_deviation_is_named_and_nobody_else() {
    let late = |agent: &mut Agent| agent.late = Duration::from_millis(150);
    assert_eq!(planted(2, late), [(2, Kind::Start)]);
    let stepped = |agent: &mut Agent| agent.step_ns = -2_000_000;
    assert_eq!(planted(0, stepped), [(0, Kind::ClockStep)]);
    let faked = |agent: &mut Agent| agent.identity.clock_offset_ns += 250_000_000;
    assert_eq!(planted(3, faked), [(3, Kind::ClockOffset)]);
    let lazy = |agent: &mut Agent| agent.answers = 1500;
    assert_eq!(planted(1, lazy), [(1, Kind::Rate)]);
    let slow = |agent: &mut Agent| agent.slower = 2;
    assert_eq!(planted(1, slow), [(1, Kind::Distribution)]);
    let short = |agent: &mut Agent| agent.seconds = 1;
    assert_eq!(planted(1, short), [(1, Kind::End)]);
}

#[test]
fn what_is_within_its_bounds_is_not_named() {
    let mut agents = agents();
    agents[1].late = Duration::from_millis(95);
    agents[2].step_ns = 900_000;
    agents[2].identity.clock_offset_ns += 900_000;
    agents[3].answers = 1_950;
    // Another host has another clock.
    agents[0].identity.boot_id = "another".to_owned();
    agents[0].identity.clock_offset_ns += 5_000_000_000;
    assert_eq!(merge(&agents).expect("they belong together").deviations, []);
}

#[test]
fn missing_agents_are_an_error_unless_they_may_be() {
    let (folder, paths) = write(&agents()[..3]);
    let mut arguments = arguments(&[folder.path().to_owned()], None);
    let failure = run(&arguments).expect_err("one is missing");
    assert_eq!(failure.status(), 4);
    assert!(failure.to_string().contains("rank 3"), "{failure}");
    arguments.allow_partial = true;
    assert_eq!(run(&arguments), Ok(()));
    let roster = Roster::read(&paths, Absence::Allowed).expect("it may be");
    assert_eq!(Merged::of(&roster).missing, [3]);
}

#[test]
fn logs_that_do_not_belong_together_are_named() {
    let changes: [fn(&mut Agent); 4] = [
        |agent| agent.identity.workload.schedule = "beef".to_owned(),
        |agent| agent.identity.size = 5,
        |agent| agent.digits = 2,
        |agent| agent.identity.workload.rate = None,
    ];
    for change in changes {
        let mut agents = agents();
        change(&mut agents[2]);
        let failure = merge(&agents).expect_err("one does not belong");
        assert_eq!(failure.status(), 1);
        assert!(failure.to_string().contains("r2.hlog"), "{failure}");
    }
}

#[test]
fn a_rank_that_is_there_twice_is_an_error() {
    let (folder, mut paths) = write(&agents());
    let copy = folder.path().join("copy.hlog");
    fs::copy(&paths[1], &copy).expect("room");
    paths.push(copy);
    let failure = run(&arguments(&paths, None)).expect_err("it is there twice");
    assert!(failure.to_string().contains("both of rank 1"), "{failure}");
}

#[test]
fn a_garbled_line_is_named_and_the_rest_is_merged() {
    let (_folder, paths) = write(&agents());
    let mut octets = fs::read(&paths[1]).expect("a file");
    let at = octets.len() / 2;
    octets[at] ^= 4;
    fs::write(&paths[1], &octets).expect("room");
    let merged = Merged::of(&Roster::read(&paths, Absence::Refused).expect("one run"));
    assert_eq!(merged.damage.len(), 1);
    assert!(merged.damage[0].contains("r1.hlog, line"), "{}", merged.damage[0]);
    let count = merged.times[Series::Response.name()].count;
    assert_eq!(count, u64::from(SIZE) * SECONDS * 2000 - 2000);
    assert_eq!(run(&arguments(&paths, None)).expect_err("it is damaged").status(), 3);
}

#[test]
fn files_that_are_no_logs_of_agents_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(&arguments(&[folder.path().to_owned()], None)).expect_err("none").status(), 2);
    let path = folder.path().join("a.hlog");
    fs::write(&path, "what?\n").expect("room");
    let failure = run(&arguments(&[path], None)).expect_err("it is no log");
    assert!(failure.to_string().contains("a.hlog: this is not the log of an agent"), "{failure}");
}

#[test]
fn the_merged_log_holds_the_union_and_is_no_agents_log() {
    let (folder, paths) = write(&agents());
    let place = || Some(folder.path().join("merged"));
    run(&arguments(&paths, place())).expect("a free place");
    let log = IntervalFile::read(&folder.path().join("merged/merged.hlog")).expect("a log");
    assert_eq!((log.damage.len(), log.intervals.len() as u64), (0, 2 * (SECONDS + 1)));
    let response = Tag { origin: Origin::All, series: Series::Response };
    let mut sum = Times::default().histogram().clone();
    for interval in log.intervals.iter().filter(|interval| interval.tag == response) {
        sum.add(interval.times()).expect("the bounds are the same");
    }
    assert_eq!(sum, everything(&agents()));
    assert!(folder.path().join("merged/merged.hgrm").exists());
    assert_eq!(run(&arguments(&paths, place())).expect_err("it is taken").status(), 2);
    // The folder holds the merged log now, too.
    assert_eq!(run(&arguments(&[folder.path().to_owned()], None)), Ok(()));
}

#[test]
fn the_text_says_who_and_why() {
    let mut agents = agents();
    agents[2].late = Duration::from_millis(250);
    let text = super::text::text(&merge(&agents).expect("they belong together"));
    for part in ["agents      4 of 4", "rank 2 deviates: began 249.", "resp", "of the tail"] {
        assert!(text.contains(part), "{text}");
    }
}
