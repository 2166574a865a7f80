//! The union: histograms added up, by second and over all.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::agent_log::{AgentLog, add};
use crate::records::{Interval, Series};

/// How far apart the seconds of agents are, so that they have one number.
const SECOND_NS: u128 = 1_000_000_000;

/// The time in which all agents were at work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Window {
    /// Its beginning, in seconds since the Unix epoch.
    pub(super) start: f64,
    /// Its length in seconds.
    pub(super) seconds: f64,
}

/// The same second of all agents.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// When the first agent began it.
    pub(super) start: Duration,
    /// How long it was for the one for which it was longest.
    pub(super) length: Duration,
    pub(super) times: BTreeMap<Series, Histogram<u64>>,
}

/// All times of all agents. That they can be added has been looked at.
pub(super) fn union(agents: &[AgentLog]) -> BTreeMap<Series, Histogram<u64>> {
    let mut union = BTreeMap::new();
    for (series, times) in agents.iter().flat_map(|agent| &agent.sums) {
        add(&mut union, *series, times).expect("the layouts are the same");
    }
    union
}

/// The same by seconds, counted from when the first agent began. Seconds that don't begin at the
/// same time are those of the nearest number.
pub(super) fn by_second(agents: &[AgentLog]) -> Vec<Moment> {
    let begin = agents.iter().map(AgentLog::start).min().unwrap_or_default();
    let mut seconds: BTreeMap<u128, Vec<&Interval>> = BTreeMap::new();
    for interval in agents.iter().flat_map(|agent| &agent.intervals) {
        let since = interval.start.saturating_sub(begin).as_nanos();
        seconds.entry((since + SECOND_NS / 2) / SECOND_NS).or_default().push(interval);
    }
    seconds.into_values().map(|intervals| moment(&intervals)).collect()
}

fn moment(intervals: &[&Interval]) -> Moment {
    let mut times = BTreeMap::new();
    for interval in intervals {
        let added = add(&mut times, interval.tag.series, &interval.times());
        added.expect("the layouts are the same");
    }
    Moment {
        start: intervals.iter().map(|interval| interval.start).min().unwrap_or_default(),
        length: intervals.iter().map(|interval| interval.length).max().unwrap_or_default(),
        times,
    }
}

/// The time in which all were at work, if there is any.
pub(super) fn window(agents: &[AgentLog]) -> Option<Window> {
    let start = agents.iter().map(AgentLog::start).max()?;
    let end = agents.iter().map(AgentLog::end).min()?;
    let seconds = end.checked_sub(start)?.as_secs_f64();
    (seconds > 0.0).then_some(Window { start: start.as_secs_f64(), seconds })
}

/// Answers a second of an agent within the window: of the seconds whose middle lies in it.
pub(super) fn rate(agent: &AgentLog, window: Option<Window>) -> f64 {
    let Some(Window { start, seconds }) = window else { return 0.0 };
    let (mut answers, mut length) = (0, 0.0);
    for interval in &agent.intervals {
        let middle = interval.start.as_secs_f64() + interval.length.as_secs_f64() / 2.0;
        let within = (start..start + seconds).contains(&middle);
        if interval.tag.series == Series::Response && within {
            answers += interval.times().len();
            length += interval.length.as_secs_f64();
        }
    }
    if length > 0.0 { answers as f64 / length } else { 0.0 }
}
