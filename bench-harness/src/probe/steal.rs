//! CPU time that the hypervisor gave to somebody else while we wanted it.

use std::fs;

use crate::record::rounded;

/// The counters at the start of an interval; `None` where the kernel does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Steal(Option<Ticks>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    stolen: u64,
    all: u64,
}

impl Steal {
    /// Starts an interval.
    #[must_use]
    pub fn start() -> Self {
        Self(now())
    }

    /// Stolen time since the start, in percent of all CPU time.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        let (start, end) = (self.0?, now()?);
        let all = end.all.saturating_sub(start.all);
        let stolen = end.stolen.saturating_sub(start.stolen);
        (all > 0).then(|| rounded(100.0 * stolen as f64 / all as f64))
    }
}

fn now() -> Option<Ticks> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// proc_stat(5): `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guest time is
/// part of user time already.
fn parse(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|t| t.parse().ok()).collect();
    Some(Ticks { stolen: *ticks.get(7)?, all: ticks.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_field_and_guest_time_is_not_counted_twice() {
        let ticks = parse("cpu  10 1 5 80 2 1 1 7 99 99\ncpu0 1 1\n");
        assert_eq!(ticks, Some(Ticks { stolen: 7, all: 107 }));
        assert_eq!(parse("cpu  10 1 5"), None);
    }
}
