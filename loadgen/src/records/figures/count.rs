//! Counting, record by record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::recorder::Times;
use crate::records::encoded;
use crate::records::quantile::{Quantile, quantiles};
use crate::records::request_log::{Outcome, Record, RequestFile};
use crate::report::{Errors, Requests};

const SECOND_NS: i64 = 1_000_000_000;

/// All figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The logs they come from, and their headers.
    pub logs: Vec<(PathBuf, Value)>,
    /// The length of the measuring phase; of several logs the longest.
    pub elapsed_ns: u64,
    /// Requests for whose records the log had no room: they are in no other figure.
    pub missing: u64,
    /// Requests by what became of them.
    pub requests: Requests,
    /// The failed ones by class.
    pub errors: Errors,
    /// Answers in the measuring phase, a second of it.
    pub rate: f64,
    /// Requests that were out at once, in the mean over the measuring phase.
    pub in_flight: f64,
    /// Times from when a request was to be sent to the end of its reply.
    pub response: Distribution,
    /// Times from when it was sent.
    pub service: Distribution,
    /// Times from when it was to be sent to when it was.
    pub delay: Distribution,
    /// The run by seconds.
    pub seconds: Vec<Second>,
    /// The run by connections.
    pub connections: Vec<Connection>,
}

/// A distribution of times.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    /// How many there are.
    pub count: u64,
    /// The smallest.
    pub min_ns: u64,
    /// The largest.
    pub max_ns: u64,
    /// The arithmetic mean.
    pub mean_ns: f64,
    /// Percentiles, where the sample supports them.
    pub percentiles: Vec<Quantile>,
    /// The whole histogram: HdrHistogram V2, deflated, in base64.
    pub histogram: String,
    /// The same, to be read.
    #[serde(skip)]
    pub times: Histogram<u64>,
}

/// A second, counted from the beginning of measuring; those before it are negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Second {
    /// Which one.
    pub second: i64,
    /// Requests sent in it.
    pub sent: u64,
    /// Requests answered in it.
    pub answered: u64,
    /// Requests failed in it.
    pub failed: u64,
    /// The mean response time of the answered ones.
    pub mean_ns: f64,
    /// The longest one.
    pub max_ns: u64,
}

/// A connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The log it is in, counted from 0.
    pub log: usize,
    /// Its number there.
    pub connection: u32,
    /// Requests answered on it.
    pub answered: u64,
    /// Requests failed or lost on it.
    pub unanswered: u64,
}

/// Figures in the making.
#[derive(Debug, Default)]
pub struct Tally {
    logs: Vec<(PathBuf, Value)>,
    elapsed_ns: u64,
    missing: u64,
    requests: Requests,
    errors: Errors,
    /// Answers in the measuring phase of each log, over its length.
    rate: f64,
    in_flight: f64,
    response: Times,
    service: Times,
    delay: Times,
    seconds: BTreeMap<i64, Second>,
    connections: BTreeMap<(usize, u32), Connection>,
}

/// What is summed up over a single log.
#[derive(Default)]
struct Phase {
    elapsed_ns: i64,
    answers: u64,
    /// Nanoseconds that requests were out, of all requests together.
    out_ns: i128,
}

impl Tally {
    /// Counts a log.
    ///
    /// # Errors
    /// If it can't be read, or is damaged.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        let mut file = RequestFile::open(path)?;
        let elapsed_ns = file.elapsed().as_nanos().try_into().unwrap_or(i64::MAX);
        let mut phase = Phase { elapsed_ns, ..Phase::default() };
        while let Some(frame) = file.frame()? {
            frame.records.iter().for_each(|record| self.add(record, &mut phase));
        }
        self.elapsed_ns = self.elapsed_ns.max(elapsed_ns as u64);
        self.missing += file.missing();
        self.rate += phase.answers as f64 / (elapsed_ns as f64 / 1e9);
        self.in_flight += phase.out_ns as f64 / elapsed_ns as f64;
        self.logs.push((path.to_owned(), file.header().clone()));
        Ok(())
    }

    fn add(&mut self, record: &Record, phase: &mut Phase) {
        phase.add(record);
        if let Some(sent) = record.sent() {
            self.requests.sent += 1;
            self.delay.record(between(record.planned, sent));
            self.second(sent).sent += 1;
        }
        match record.outcome {
            Outcome::Answered { sent, ended } => self.answered(record, sent, ended),
            Outcome::Failed { fault, ended, .. } => {
                self.requests.failed += 1;
                fault.count(&mut self.errors);
                self.second(ended).failed += 1;
                self.connection(record).unanswered += 1;
            }
            Outcome::Lost { .. } => {
                self.requests.outstanding += 1;
                self.connection(record).unanswered += 1;
            }
            Outcome::NeverSent => self.requests.unsent += 1,
        }
    }

    fn answered(&mut self, record: &Record, sent: i64, ended: i64) {
        let response = between(record.planned, ended);
        self.requests.answered += 1;
        self.response.record(response);
        self.service.record(between(sent, ended));
        self.second(ended).answer(response);
        self.connection(record).answered += 1;
    }

    fn second(&mut self, time: i64) -> &mut Second {
        let second = time.div_euclid(SECOND_NS);
        self.seconds.entry(second).or_insert_with(|| Second { second, ..Second::default() })
    }

    fn connection(&mut self, record: &Record) -> &mut Connection {
        let (log, connection) = (self.logs.len(), record.connection);
        let fresh = Connection { log, connection, ..Connection::default() };
        self.connections.entry((log, connection)).or_insert(fresh)
    }

    /// The figures of all logs together.
    #[must_use]
    pub fn figures(self) -> Figures {
        let Requests { failed, outstanding, unsent, .. } = self.requests;
        let unanswered = failed + outstanding;
        Figures {
            logs: self.logs,
            elapsed_ns: self.elapsed_ns,
            missing: self.missing,
            requests: self.requests,
            errors: self.errors,
            rate: finite(self.rate),
            in_flight: finite(self.in_flight),
            response: Distribution::of(self.response.histogram(), unanswered + unsent),
            service: Distribution::of(self.service.histogram(), unanswered),
            delay: Distribution::of(self.delay.histogram(), unsent),
            seconds: self.seconds.into_values().collect(),
            connections: self.connections.into_values().collect(),
        }
    }
}

impl Phase {
    fn add(&mut self, record: &Record) {
        let within = |time: i64| time.clamp(0, self.elapsed_ns);
        let Some(sent) = record.sent() else { return };
        let ended = record.ended().unwrap_or(self.elapsed_ns);
        self.out_ns += i128::from((within(ended) - within(sent)).max(0));
        let in_time = (0..self.elapsed_ns).contains(&ended);
        let answered = matches!(record.outcome, Outcome::Answered { .. });
        self.answers += u64::from(answered && in_time);
    }
}

impl Second {
    fn answer(&mut self, response_ns: u64) {
        self.answered += 1;
        self.mean_ns += (response_ns as f64 - self.mean_ns) / self.answered as f64;
        self.max_ns = self.max_ns.max(response_ns);
    }
}

impl Distribution {
    /// That of `times`, where `beyond` requests had no answer and are slower than all that had one.
    #[must_use]
    pub fn of(times: &Histogram<u64>, beyond: u64) -> Self {
        Self {
            count: times.len(),
            min_ns: times.min(),
            max_ns: times.max(),
            mean_ns: times.mean(),
            percentiles: quantiles(times, beyond),
            histogram: encoded(times),
            times: times.clone(),
        }
    }
}

/// Nanoseconds from one time to another; 0 if they are the wrong way round.
fn between(earlier: i64, later: i64) -> u64 {
    later.saturating_sub(earlier).try_into().unwrap_or(0)
}

/// A log without a length has no rate.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::Fault;
    use crate::records::request_log::RequestLog;

    const MS: i64 = 1_000_000;

    fn answered(connection: u32, planned: i64, sent: i64, ended: i64) -> Record {
        Record { planned, connection, outcome: Outcome::Answered { sent, ended } }
    }

    fn figures(logs: &[&[Record]]) -> Figures {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tally = Tally::default();
        for (at, records) in logs.iter().enumerate() {
            let path = folder.path().join(at.to_string());
            let (log, mut pens) = RequestLog::create(&path, &at, 2).expect("a log");
            for (at, record) in records.iter().enumerate() {
                pens[at % 2].note(record);
            }
            drop(pens);
            log.finish(Duration::from_secs(2)).expect("room");
            tally.add_file(&path).expect("it is whole");
        }
        tally.figures()
    }

    #[test]
    fn every_figure_by_hand() {
        let failed = Outcome::Failed { fault: Fault::Reset, sent: 500 * MS, ended: 1_000 * MS };
        let found = figures(&[&[
            answered(0, -20 * MS, -10 * MS, 100 * MS),
            answered(0, 100 * MS, 100 * MS, 300 * MS),
            answered(1, 1_800 * MS, 1_900 * MS, 2_100 * MS),
            Record { planned: 500 * MS, connection: 1, outcome: failed },
            Record { planned: 0, connection: 2, outcome: Outcome::Lost { sent: 1_000 * MS } },
            Record { planned: 1_999 * MS, connection: 0, outcome: Outcome::NeverSent },
        ]]);
        let wanted = Requests {
            sent: 5,
            answered: 3,
            failed: 1,
            outstanding: 1,
            unsent: 1,
            ..Requests::default()
        };
        assert_eq!((found.requests, found.errors.reset), (wanted, 1));
        assert_eq!((found.elapsed_ns, found.rate), (2_000_000_000, 1.0));
        // 100 + 200 + 100 + 500 + 1,000 ms out, over 2 s.
        assert!((found.in_flight - 0.95).abs() < 1e-9, "{}", found.in_flight);
        let times = |all: &[i64]| {
            let mut times = Times::default();
            all.iter().for_each(|&ms| times.record((ms * MS) as u64));
            times.histogram().clone()
        };
        assert_eq!(found.response.times, times(&[120, 200, 300]));
        assert_eq!(found.service.times, times(&[110, 200, 200]));
        assert_eq!(found.delay.times, times(&[10, 0, 100, 0, 1_000]));
        // Three of six are answered, so half of them within the longest answer.
        let median = found.response.percentiles[0].value_ns.expect("it is an answered one");
        assert!(found.response.times.equivalent(median, 300_000_000));
    }

    #[test]
    fn by_seconds_and_by_connections() {
        let found = figures(&[&[
            answered(7, -20 * MS, -10 * MS, 100 * MS),
            answered(7, 100 * MS, 100 * MS, 300 * MS),
            answered(1, 1_800 * MS, 1_900 * MS, 2_100 * MS),
        ]]);
        let seconds: Vec<_> =
            found.seconds.iter().map(|row| (row.second, row.sent, row.answered)).collect();
        assert_eq!(seconds, [(-1, 1, 0), (0, 1, 2), (1, 1, 0), (2, 0, 1)]);
        assert_eq!((found.seconds[1].mean_ns, found.seconds[1].max_ns), (160e6, 200_000_000));
        let connections: Vec<_> =
            found.connections.iter().map(|row| (row.connection, row.answered)).collect();
        assert_eq!(connections, [(1, 1), (7, 2)]);
    }

    #[test]
    fn several_logs_are_one_run() {
        let one = [answered(0, 0, 0, MS), answered(1, 0, 0, 2 * MS)];
        let two = [answered(0, 0, 0, 3 * MS)];
        let (both, all) = (figures(&[&one, &two]), figures(&[&[one[0], one[1], two[0]]]));
        assert_eq!(both.response.histogram, all.response.histogram);
        assert_eq!((both.requests, both.rate), (all.requests, all.rate));
        assert_eq!((both.connections.len(), all.connections.len()), (3, 2));
    }

    #[test]
    fn of_nothing_there_are_figures_too() {
        let found = figures(&[&[]]);
        assert_eq!((found.rate, found.in_flight, found.response.count), (0.0, 0.0, 0));
    }
}
