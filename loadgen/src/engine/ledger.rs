//! The books of a run: what the threads hand over each second is added up here, by the main thread.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::Second;
use crate::failure::Failure;
use crate::recorder::{Interval, Recorder};

/// What a thread tells the main thread.
pub(crate) enum Report {
    /// It has connected what could be connected: so many active connections.
    Ready(Result<u64, Failure>),
    /// A second of the measuring phase is over, counted from 0.
    Second { which: usize, number: u64, interval: Box<Interval> },
    /// It has nothing more to do.
    Done,
}

/// Who is told of the seconds of a run as they pass.
pub trait Witness {
    /// Measuring begins, at that time since the Unix epoch.
    fn begins(&mut self, open: Duration);

    /// A second is over, counted from 0, and all threads have reported it. The last one may be
    /// shorter; one after it has what was answered while draining.
    fn second(&mut self, number: u64, interval: &Interval);
}

/// Nobody.
impl Witness for () {
    fn begins(&mut self, _open: Duration) {}

    fn second(&mut self, _number: u64, _interval: &Interval) {}
}

/// The books.
pub(crate) struct Ledger<'a> {
    threads: usize,
    /// To each thread, for intervals that have been read.
    spares: Vec<Sender<Box<Interval>>>,
    /// Seconds that not all threads have reported: how many have, and their sum.
    open: BTreeMap<u64, (usize, Box<Interval>)>,
    pub(crate) totals: Recorder,
    pub(crate) seconds: Vec<Second>,
    pub(crate) witness: &'a mut dyn Witness,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(spares: Vec<Sender<Box<Interval>>>, witness: &'a mut dyn Witness) -> Self {
        Self {
            threads: spares.len(),
            spares,
            open: BTreeMap::new(),
            totals: Recorder::default(),
            seconds: Vec::new(),
            witness,
        }
    }

    /// Enters what a thread recorded in a second.
    pub(crate) fn enter(&mut self, which: usize, number: u64, mut interval: Box<Interval>) {
        match self.open.get_mut(&number) {
            None => drop(self.open.insert(number, (1, interval))),
            Some((reports, sum)) => {
                *reports += 1;
                sum.merge(&interval);
                interval.reset();
                // A thread that is over needs no spare one.
                let _ = self.spares[which].send(interval);
            }
        }
        while let Some(first) = self.open.first_entry()
            && first.get().0 == self.threads
        {
            let (number, (_, mut interval)) = first.remove_entry();
            self.close(number, &interval);
            interval.reset();
            let _ = self.spares[which].send(interval);
        }
    }

    /// Closes what is still open: the last, unfinished second, and what came after measuring.
    pub(crate) fn balance(&mut self) {
        while let Some((number, (_, interval))) = self.open.pop_first() {
            self.close(number, &interval);
        }
    }

    fn close(&mut self, number: u64, interval: &Interval) {
        self.totals.add(interval);
        self.seconds.push(Second::of(interval));
        self.witness.second(number, interval);
    }
}

impl Second {
    fn of(interval: &Interval) -> Self {
        let times = interval.latency.histogram();
        Self {
            answered: times.len(),
            failed: interval.failed,
            mean_ns: times.mean(),
            p50_ns: times.value_at_quantile(0.5),
            p99_ns: times.value_at_quantile(0.99),
            p999_ns: times.value_at_quantile(0.999),
            max_ns: times.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn interval(nanos: u64) -> Box<Interval> {
        let mut interval = Box::<Interval>::default();
        interval.latency.record(nanos);
        interval
    }

    #[test]
    fn a_second_is_closed_when_all_have_reported_it() {
        #[derive(Default)]
        struct Closed(Vec<(u64, u64)>);
        impl Witness for Closed {
            fn begins(&mut self, _open: Duration) {}
            fn second(&mut self, number: u64, sum: &Interval) {
                self.0.push((number, sum.latency.histogram().len()));
            }
        }
        let mut witness = Closed::default();
        let (spare, spares) = channel();
        let mut ledger = Ledger::new(vec![spare.clone(), spare], &mut witness);
        ledger.enter(0, 0, interval(5));
        ledger.enter(0, 1, interval(5));
        assert!(ledger.seconds.is_empty());
        ledger.enter(1, 0, interval(7));
        assert_eq!((ledger.seconds.len(), ledger.totals.latency.histogram().len()), (1, 2));
        ledger.balance();
        assert_eq!(ledger.totals.latency.histogram().len(), 3);
        assert_eq!(spares.try_iter().count(), 2);
        assert_eq!(witness.0, [(0, 2), (1, 1)]);
    }
}
