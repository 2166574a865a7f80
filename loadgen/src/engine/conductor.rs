//! The main thread's part of a run: it starts the phases, takes readings at their edges, and keeps
//! the books.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use nix::sys::prctl;

use super::ledger::{Ledger, Report};
use super::shared::{Signals, Timeline};
use super::view::View;
use crate::agent;
use crate::clock::{Moment, wall_clock_at};
use crate::failure::Failure;
use crate::memory::{Growth, Reading};
use crate::plan::{Plan, Stop};
use crate::progress::{Phase, Progress};
use crate::report::Usage;
use crate::usage::{Meters, Readings};

/// How soon an interruption is noticed.
const ATTENTION: Duration = Duration::from_millis(100);

/// An agent that would begin later than this after the others does not begin at all.
const LATEST: Duration = Duration::from_millis(50);

/// All that the main thread has a hand in.
pub(super) struct Conductor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) signals: &'a Signals,
    pub(super) meters: Meters,
    /// Before the first connection.
    pub(super) memory: Reading,
    pub(super) orders: Vec<Sender<Timeline>>,
    pub(super) reported: Receiver<Report>,
    pub(super) ledger: Ledger<'a>,
    pub(super) view: View,
    /// Threads that have not done what they were last ordered to do.
    pub(super) busy: usize,
}

/// What the main thread knows after the measuring phase.
pub(super) struct Measured<'a> {
    pub(super) timeline: Timeline,
    pub(super) client: Usage,
    pub(super) server: Option<Usage>,
    pub(super) memory: Growth,
    pub(super) ledger: Ledger<'a>,
    pub(super) reported: Receiver<Report>,
}

impl<'a> Conductor<'a> {
    /// From the connecting phase to the end of measuring. The connections stay open until the last
    /// reading has been taken; dropping the senders of orders then releases the threads.
    ///
    /// `None` if there is nothing to measure, since no connection could be made.
    pub(super) fn conduct(
        mut self,
        progress: &mut Progress,
    ) -> Result<Option<Measured<'a>>, Failure> {
        let _ = prctl::set_timerslack(1000);
        let established = self.await_connections(progress)?;
        if self.signals.stopped().is_some() {
            return Err(interrupted());
        }
        if established == 0 {
            return Ok(None);
        }
        let (timeline, first) = self.begin(progress)?;
        self.view.turn(Phase::Measuring, timeline.close, self.signals);
        match self.plan.stop {
            Stop::After(_) => self.attend(timeline.close, progress),
            Stop::Each(_) => self.await_threads(progress),
        }
        self.hold(progress);
        let last = self.meters.read()?;
        let memory = self.memory.until(&Reading::take(self.plan.watch));
        self.view.turn(Phase::Draining, Moment::NEVER, self.signals);
        self.await_threads(progress);
        progress.end();
        let (client, server) = first.until(&last);
        let Self { ledger, reported, .. } = self;
        Ok(Some(Measured { timeline, client, server, memory, ledger, reported }))
    }

    /// Starts the load, and takes the first reading when measuring begins: without a warm-up that
    /// is just before the first request.
    fn begin(&mut self, progress: &mut Progress) -> Result<(Timeline, Readings), Failure> {
        let before = self.meters.read()?;
        let start = self.await_start(progress)?;
        let timeline = Timeline::new(self.plan, start);
        self.ledger.witness.begins(wall_clock_at(timeline.open));
        self.busy = self.orders.len();
        for order in &self.orders {
            let _ = order.send(timeline);
        }
        if self.plan.warm_up.is_zero() {
            return Ok((timeline, before));
        }
        self.view.turn(Phase::WarmingUp, timeline.open, self.signals);
        self.attend(timeline.open, progress);
        match self.signals.stopped() {
            Some(_) => Err(interrupted()),
            None => Ok((timeline, self.meters.read()?)),
        }
    }

    /// Among several agents, the load begins at a time that all know.
    fn await_start(&self, progress: &mut Progress) -> Result<Moment, Failure> {
        let Some(start) = self.plan.start_at else { return Ok(Moment::now()) };
        progress.end();
        let late = agent::wait_until(start, LATEST)?;
        Ok(Moment::now().before(late))
    }

    /// Waits until all threads have connected what they can, and adds up how much that is.
    fn await_connections(&mut self, progress: &mut Progress) -> Result<u64, Failure> {
        let mut sum = 0;
        while self.busy > 0 {
            match self.reported.recv_timeout(progress.until_next()) {
                Ok(Report::Ready(established)) => {
                    sum += established?;
                    self.busy -= 1;
                }
                Ok(report) => self.enter(report),
                Err(RecvTimeoutError::Timeout) => self.show(progress),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(sum)
    }

    /// Waits until all threads have done what they had to do.
    fn await_threads(&mut self, progress: &mut Progress) {
        while self.busy > 0 && self.listen(progress.until_next(), progress) {}
    }

    /// Keeps the books until that moment, or until the run is interrupted.
    fn attend(&mut self, until: Moment, progress: &mut Progress) {
        loop {
            let left = Duration::from_nanos(until.nanos_since(Moment::now()));
            if left.is_zero() || self.signals.stopped().is_some() {
                return;
            }
            self.listen(left, progress);
        }
    }

    /// Leaves all connections open for a while, if that is wanted.
    fn hold(&mut self, progress: &mut Progress) {
        if !self.plan.hold.is_zero() {
            self.attend(Moment::now().after(self.plan.hold), progress);
        }
    }

    /// Waits for one report, for at most that long. False when there is nobody left to report.
    fn listen(&mut self, wait: Duration, progress: &mut Progress) -> bool {
        let wait = wait.min(progress.until_next()).min(ATTENTION);
        match self.reported.recv_timeout(wait) {
            Ok(report) => self.enter(report),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if progress.until_next().is_zero() {
            self.show(progress);
        }
        true
    }

    fn enter(&mut self, report: Report) {
        match report {
            Report::Second { which, number, interval } => {
                self.ledger.enter(which, number, interval);
            }
            Report::Ready(_) | Report::Done => self.busy -= 1,
        }
    }

    fn show(&mut self, progress: &mut Progress) {
        progress.show(&self.view.sight(self.plan, self.signals, &self.ledger));
    }
}

fn interrupted() -> Failure {
    Failure::Inconclusive("interrupted before measuring began".to_owned())
}
