//! What has happened to one replica so far, for those who operate the balancer.
//!
//! The attendant writes it, whoever is asked for figures reads it, and nobody who serves a client
//! touches it: a lock is good enough.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The record of one replica.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Figures>);

/// What it says at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// The number of the process that was started last.
    pub(crate) server_id: u64,
    /// Its pid, as long as it lives.
    pub(crate) pid: Option<u32>,
    /// Heartbeats that were missed, those of earlier processes included.
    pub(crate) missed: u64,
    /// How often it came back into service.
    pub(crate) respawns: u64,
    /// How long it was out of service since it was first in service.
    pub(crate) out: Duration,
    out_since: Option<Instant>,
}

impl Record {
    /// A process of that number has been started.
    pub(crate) fn started(&self, server_id: u64, pid: u32) {
        let mut figures = self.lock();
        (figures.server_id, figures.pid) = (server_id, Some(pid));
    }

    /// There is no process any more.
    pub(crate) fn ended(&self) {
        self.lock().pid = None;
    }

    /// It is in service now; says how long it was out of it, unless this is the first time.
    pub(crate) fn entered(&self) -> Option<Duration> {
        let mut figures = self.lock();
        let out = figures.out_since.take()?.elapsed();
        figures.out += out;
        figures.respawns += 1;
        Some(out)
    }

    /// It is out of service from now on.
    pub(crate) fn left(&self) {
        self.lock().out_since = Some(Instant::now());
    }

    /// A heartbeat was missed.
    pub(crate) fn missed(&self) {
        self.lock().missed += 1;
    }

    /// The figures now: when it is out of service, that time counts up to now.
    pub(crate) fn figures(&self) -> Figures {
        let figures = *self.lock();
        let still = figures.out_since.map_or(Duration::ZERO, |since| since.elapsed());
        Figures { out: figures.out + still, ..figures }
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_in_service_has_been_out_of_it() {
        let record = Record::default();
        record.started(1, 99);
        assert_eq!(record.entered(), None);
        let first = record.figures();
        assert_eq!((first.respawns, first.out, first.pid), (0, Duration::ZERO, Some(99)));
        record.left();
        record.ended();
        assert_eq!(record.figures().pid, None);
    }

    #[test]
    fn time_out_of_service_adds_up_and_runs_until_it_is_back() {
        let record = Record::default();
        let mut total = Duration::ZERO;
        for respawns in 1..=3 {
            record.left();
            std::thread::sleep(Duration::from_millis(2));
            let running = record.figures().out;
            assert!(running >= total + Duration::from_millis(2), "{running:?}, {total:?}");
            total += record.entered().unwrap();
            let figures = record.figures();
            assert_eq!((figures.out, figures.respawns), (total, respawns));
        }
    }

    #[test]
    fn misses_of_all_processes_are_counted() {
        let record = Record::default();
        for server_id in [1, 4] {
            record.started(server_id, 99);
            record.missed();
        }
        let figures = record.figures();
        assert_eq!((figures.missed, figures.server_id), (2, 4));
    }
}
