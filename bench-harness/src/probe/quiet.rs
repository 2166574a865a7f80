//! Whether the machine was ours during a trial.
//!
//! What other programs use, and what the hypervisor gives to others, is missing from the trial. A
//! disturbed trial is kept and marked; it is no ground for a ranking.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::record::rounded;

/// From this much on, in CPUs, what others used counts as a disturbance.
pub const DISTURBANCE: f64 = 0.15;

/// The counters at the start of an interval.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    start: Instant,
    ticks: Option<Ticks>,
    own: Duration,
}

/// What others did in an interval; `None` where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Others {
    /// Time that the hypervisor gave to others, in percent of all CPU time.
    pub steal_percent: Option<f64>,
    /// CPU time of other programs over elapsed time: 1 is a whole CPU.
    pub cpus: Option<f64>,
}

impl Others {
    /// How many CPUs others used, if that is enough for a disturbance.
    #[must_use]
    pub fn disturbance(self) -> Option<f64> {
        self.cpus.filter(|cpus| *cpus >= DISTURBANCE)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    stolen: u64,
    busy: u64,
    all: u64,
}

impl Interval {
    /// Starts an interval.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), ticks: now(), own: own() }
    }

    /// Ends it. Children started in it have to be over and waited for, or they count as others.
    #[must_use]
    pub fn end(self) -> Others {
        let (Some(start), Some(end)) = (self.ticks, now()) else { return Others::default() };
        let elapsed = self.start.elapsed().as_secs_f64();
        let own = own().saturating_sub(self.own).as_secs_f64();
        let all = end.all.saturating_sub(start.all);
        let stolen = end.stolen.saturating_sub(start.stolen);
        let busy = seconds(end.busy.saturating_sub(start.busy));
        Others {
            steal_percent: (all > 0).then(|| rounded(100.0 * stolen as f64 / all as f64)),
            cpus: busy.map(|busy| rounded(((busy - own) / elapsed).max(0.0))),
        }
    }
}

/// CPU time of this process and of its children that are over.
fn own() -> Duration {
    let of = |who| getrusage(who).map_or(Duration::ZERO, |usage| both(&usage));
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

fn both(usage: &Usage) -> Duration {
    let span = |time: TimeVal| {
        let part = |value: i64| u64::try_from(value).unwrap_or(0);
        Duration::from_secs(part(time.tv_sec())) + Duration::from_micros(part(time.tv_usec()))
    };
    span(usage.user_time()) + span(usage.system_time())
}

fn seconds(ticks: u64) -> Option<f64> {
    // SAFETY: sysconf(3) takes a number and returns one.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (per_second > 0).then(|| ticks as f64 / per_second as f64)
}

fn now() -> Option<Ticks> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// proc_stat(5): `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guest time
/// is part of user time already.
fn parse(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().take(8).map(|tick| tick.parse().ok());
    let ticks: Vec<u64> = ticks.collect::<Option<_>>()?;
    let [user, nice, system, idle, iowait, irq, softirq, stolen] = ticks[..] else { return None };
    let busy = user + nice + system + irq + softirq;
    Some(Ticks { stolen, busy, all: busy + stolen + idle + iowait })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_field_and_guest_time_is_not_counted_twice() {
        let ticks = parse("cpu  10 1 5 80 2 1 1 7 99 99\ncpu0 1 1\n");
        assert_eq!(ticks, Some(Ticks { stolen: 7, busy: 18, all: 107 }));
        assert_eq!(parse("cpu  10 1 5"), None);
    }

    #[test]
    fn time_of_this_process_is_not_that_of_others() {
        let before = own();
        while own() - before < Duration::from_millis(5) {
            std::hint::black_box(0);
        }
        assert!(own() > before);
    }
}
