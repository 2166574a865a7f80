//! The memory and CPU time of the server: before the attack, at its worst, after it.

use std::time::Duration;

use super::report::WatchReport;
use super::timeline::{Timeline, sleep_until};
use crate::clock::Moment;
use crate::failure::Failure;
use crate::report::Usage;
use crate::usage::{Meters, Readings};

/// How often memory is looked at during the attack.
const EACH: Duration = Duration::from_millis(50);

/// Watches a process, if one was named.
#[derive(Debug)]
pub(super) struct Watch(Option<Meters>);

impl Watch {
    pub(super) fn new(pid: Option<i32>) -> Result<Self, Failure> {
        Ok(Self(pid.map(|pid| Meters::new(Some(pid))).transpose()?))
    }

    /// Looks until the run is over. None if nobody was to be watched or the process has gone.
    pub(super) fn look(&self, timeline: Timeline) -> Result<Option<WatchReport>, Failure> {
        let Some(meters) = &self.0 else { return Ok(None) };
        let start = meters.read()?;
        sleep_until(timeline.begin);
        let begin = meters.read()?;
        let mut peak = (0, 0);
        while Moment::now() < timeline.end {
            if let Some(usage) = begin.until(&meters.read()?).1 {
                peak = (peak.0.max(usage.resident_octets), peak.1.max(usage.threads));
            }
            sleep_until(Moment::now().after(EACH).min(timeline.end));
        }
        let end = meters.read()?;
        sleep_until(timeline.stop);
        let stop = meters.read()?;
        Ok(report([&start, &begin, &end, &stop], peak, timeline))
    }
}

fn report(
    [start, begin, end, stop]: [&Readings; 4],
    (peak_octets, peak_threads): (u64, u64),
    timeline: Timeline,
) -> Option<WatchReport> {
    let (before, during, after) = (start.until(begin).1?, begin.until(end).1?, end.until(stop).1?);
    Some(WatchReport {
        resident_octets_before: before.resident_octets,
        resident_octets_peak: peak_octets.max(during.resident_octets),
        resident_octets_after: after.resident_octets,
        threads_peak: peak_threads.max(during.threads),
        threads_after: after.threads,
        cpu_before: share(&before, timeline.begin.nanos_since(timeline.start)),
        cpu_during: share(&during, timeline.end.nanos_since(timeline.begin)),
        cpu_after: share(&after, timeline.stop.nanos_since(timeline.end)),
    })
}

/// CPUs in use on average.
fn share(usage: &Usage, nanos: u64) -> f64 {
    (usage.user_ns + usage.system_ns) as f64 / nanos.max(1) as f64
}
