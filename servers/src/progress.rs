//! `--progress`: what the server does, on standard error, once a second.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::stats::{Stats, Totals};

const PERIOD: Duration = Duration::from_secs(1);
/// Of more workers than this, only the fewest and the most connections of one are shown.
const WORKERS_SHOWN_MAX: usize = 16;

/// Shows what has changed since it showed the last time.
#[derive(Debug)]
pub struct Progress {
    shown_at: Instant,
    shown: Totals,
    in_place: bool,
}

impl Progress {
    /// Shows nothing before the first second is over.
    #[must_use]
    pub fn start() -> Self {
        let in_place = io::stderr().is_terminal();
        Self { shown_at: Instant::now(), shown: Totals::default(), in_place }
    }

    /// Shows a line, if it is time.
    pub fn show(&mut self, stats: &Stats) {
        let elapsed = self.shown_at.elapsed();
        if elapsed < PERIOD {
            return;
        }
        let totals = stats.totals();
        let line = line(&self.shown, &totals, &open_by_worker(stats), elapsed);
        // On a terminal the line is written over the last one.
        let (start, end) = if self.in_place { ("\r\x1b[K", "") } else { ("", "\n") };
        // Nobody may be reading standard error any more, and that is no reason to stop serving.
        let _ = write!(io::stderr(), "{start}{line}{end}");
        self.shown = totals;
        self.shown_at = Instant::now();
    }
}

fn line(before: &Totals, now: &Totals, by_worker: &str, elapsed: Duration) -> String {
    let rate = (now.answered - before.answered) as f64 / elapsed.as_secs_f64();
    let refused =
        if now.refused > 0 { format!(", {} refused", now.refused) } else { String::new() };
    format!(
        "{} connected{by_worker}, {} accepted{refused}, {rate:.0} answers/s",
        now.open, now.accepted
    )
}

fn open_by_worker(stats: &Stats) -> String {
    let workers = stats.each();
    let open = workers.iter().map(|worker| worker.open);
    match workers.len() {
        0 | 1 => String::new(),
        2..=WORKERS_SHOWN_MAX => {
            let open = open.map(|open| open.to_string()).collect::<Vec<_>>();
            format!(" ({})", open.join(" + "))
        }
        _ => {
            let (least, most) = (open.clone().min(), open.max());
            format!(" ({} to {} a worker)", least.unwrap_or(0), most.unwrap_or(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_connections_by_worker_and_the_rate() {
        let stats = Stats::default();
        let (one, other) = (stats.lease(), stats.lease());
        one.accepted.add(3);
        other.accepted.add(4);
        other.closed.add(2);
        other.answered.add(50);
        let line = line(
            &Totals::default(),
            &stats.totals(),
            &open_by_worker(&stats),
            Duration::from_millis(500),
        );
        assert_eq!(line, "5 connected (3 + 2), 7 accepted, 100 answers/s");
    }

    #[test]
    fn shows_how_unevenly_many_workers_are_used() {
        let stats = Stats::default();
        let workers = (0..=WORKERS_SHOWN_MAX).map(|_| stats.lease()).collect::<Vec<_>>();
        (7..).zip(&workers).for_each(|(count, worker)| worker.accepted.add(count));
        assert_eq!(open_by_worker(&stats), " (7 to 23 a worker)");
    }
}
