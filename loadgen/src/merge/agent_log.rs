//! The log of one agent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value;

use crate::agent::{Closing, Identity};
use crate::failure::Failure;
use crate::records::{Damage, Interval, IntervalFile, Origin, Series};

/// What an agent wrote.
#[derive(Clone, Debug)]
pub(super) struct AgentLog {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) closing: Closing,
    pub(super) intervals: Vec<Interval>,
    /// All its times, summed up.
    pub(super) sums: BTreeMap<Series, Histogram<u64>>,
    pub(super) damage: Vec<Damage>,
}

/// What histograms need to have in common to be summed up exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    low: u64,
    high: u64,
    digits: u8,
}

impl Layout {
    fn of(times: &Histogram<u64>) -> Self {
        Self { low: times.low(), high: times.high(), digits: times.sigfig() }
    }
}

impl AgentLog {
    /// Reads one.
    ///
    /// # Errors
    /// If it can't be read, or is not the log of an agent.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        Self::of(path, IntervalFile::read(path)?)
    }

    fn of(path: &Path, file: IntervalFile) -> Result<Self, Failure> {
        let fields = Value::Object(file.fields);
        // With a head that says nothing else can be done; without an end, the damage says so.
        let identity = serde_json::from_value(fields.clone());
        let identity = identity.map_err(|error| foreign(path, &error, &file.damage))?;
        let closing = serde_json::from_value(fields).unwrap_or_default();
        let sums = sums(path, &identity, &file.intervals)?;
        let (intervals, damage) = (file.intervals, file.damage);
        Ok(Self { path: path.to_owned(), identity, closing, intervals, sums, damage })
    }

    /// The layout of all its histograms, if there are any.
    pub(super) fn layout(&self) -> Option<Layout> {
        self.sums.values().next().map(Layout::of)
    }

    /// When it began to measure, since the Unix epoch.
    pub(super) fn start(&self) -> Duration {
        self.intervals.iter().map(|interval| interval.start).min().unwrap_or_default()
    }

    /// When it stopped measuring; where the log was cut off, when its last second was over.
    pub(super) fn end(&self) -> Duration {
        let elapsed = Duration::from_nanos(self.closing.elapsed_ns);
        let last = self.intervals.iter().map(Interval::end).max().unwrap_or_default();
        if elapsed.is_zero() { last } else { self.start().saturating_add(elapsed) }
    }
}

/// Sums up all seconds by series.
fn sums(
    path: &Path,
    identity: &Identity,
    intervals: &[Interval],
) -> Result<BTreeMap<Series, Histogram<u64>>, Failure> {
    let mut sums: BTreeMap<Series, Histogram<u64>> = BTreeMap::new();
    let layout = intervals.first().map(|interval| Layout::of(&interval.times()));
    for interval in intervals {
        let times = interval.times();
        if layout != Some(Layout::of(&times)) {
            let file = path.display();
            return Err(Failure::Failed(format!("{file}: histograms of different layouts")));
        }
        if interval.tag.origin != Origin::Rank(identity.rank) {
            let (file, tag, rank) = (path.display(), interval.tag, identity.rank);
            return Err(Failure::Failed(format!("{file}: {tag} in the log of rank {rank}")));
        }
        add(&mut sums, interval.tag.series, &times)
            .map_err(|what| Failure::Failed(format!("{}: {what}", path.display())))?;
    }
    Ok(sums)
}

/// Adds times to those of their series.
pub(super) fn add(
    sums: &mut BTreeMap<Series, Histogram<u64>>,
    series: Series,
    times: &Histogram<u64>,
) -> Result<(), String> {
    let Some(sum) = sums.get_mut(&series) else {
        sums.insert(series, times.clone());
        return Ok(());
    };
    sum.add(times).map_err(|error| error.to_string())
}

fn foreign(path: &Path, error: &serde_json::Error, damage: &[Damage]) -> Failure {
    let path = path.display();
    let damage = damage.first().map(|damage| format!("; {damage}")).unwrap_or_default();
    Failure::Failed(format!("{path}: this is not the log of an agent ({error}){damage}"))
}
